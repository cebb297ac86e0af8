"""The 3D UNet with two times: MONAI's MAISI diffusion UNet, asked for an
average velocity u(z, t, r).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.flow.checkpointing import checkpoint
from neuromf.flow.dual import value_of
from neuromf.flow.network import Condition
from neuromf.nets.conditioning import ConditionEmbedding
from neuromf.nets.config import BRAIN, TIMES, UNetConfig
from neuromf.nets.sinusoids import sinusoids
from neuromf.nets.variables import UNCONDITIONAL, Conditions


class DualTimeUNet(nn.Module):
    """`net(z, t, r)`: the prediction (B, C, D, H, W) for latents z of that shape
    and times t, r (B,) in [0, 1].

    With a v head it returns (prediction, head prediction); `without_head(z, t, r)` then computes
    the first alone. The stock network is `body`, with the keys of MONAI's own state dict;
    `interval_embed` is the branch of the second time. MONAI initialises the last convolution of
    every residual block, and the output's, with zeros: a new network returns zeros.
    """

    def __init__(self, config: UNetConfig = BRAIN, conditions: Conditions = UNCONDITIONAL) -> None:
        super().__init__()
        from monai.networks.blocks import SABlock

        self.config = config
        self.body = stock_network(config)
        width = 4 * config.channels[0]
        if len(TIMES[config.conditioning]) > 1:
            self.interval_embed = nn.Sequential(
                nn.Linear(config.channels[0], width), nn.SiLU(), nn.Linear(width, width)
            )
        self.condition_embed = (
            ConditionEmbedding(conditions, config.channels[0], width)
            if conditions.variables
            else None
        )
        self.head = VelocityHead(config) if config.v_head_blocks else None
        for module in self.modules():
            if type(module) is nn.GroupNorm:
                module.__class__ = FloatGroupNorm  # same parameters, same keys
            elif isinstance(module, SABlock):
                module.use_flash_attention = config.fused_attention

    def forward(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Raises ValueError or TypeError where z has the wrong channels, size or
        dtype, or t and r the wrong shape.
        """
        features, embedding = self._features(z, t, r, condition)
        prediction: Tensor = self.body.out(features)
        if self.head is None:
            return prediction
        return prediction, self.head(value_of(features), value_of(embedding))

    def without_head(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """Return the prediction without computing the v head."""
        prediction: Tensor = self.body.out(self._features(z, t, r, condition)[0])
        return prediction

    def _features(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None
    ) -> tuple[Tensor, Tensor]:
        """Return the decoder's last features (B, channels[0], D, H, W) and the time
        embedding (B, 4 channels[0]).
        """
        self._check(z, t, r)
        body, embedding = self.body, self._embedding(t, r, condition).to(z.dtype)
        h = body.conv_in(z)
        skips = [h]

        for block in body.down_blocks:
            for resnet, attend in _layers(block):
                h = self._run(resnet, attend, h, embedding)
                skips.append(h)
            if block.downsampler is not None:
                h = self._run(block.downsampler, None, h, embedding)
                skips.append(h)

        h = self._run(body.middle_block.resnet_1, body.middle_block.attention, h, embedding)
        h = self._run(body.middle_block.resnet_2, None, h, embedding)

        for block in body.up_blocks:
            for resnet, attend in _layers(block):
                h = self._run(resnet, attend, h, embedding, skips.pop())
            if block.upsampler is not None:
                h = self._run(block.upsampler, None, h, embedding)

        return h, embedding

    def _run(
        self,
        resnet: nn.Module,
        attend: nn.Module | None,
        h: Tensor,
        embedding: Tensor,
        *skip: Tensor,
    ) -> Tensor:
        def layer(h: Tensor, embedding: Tensor, *skip: Tensor) -> Tensor:
            joined = torch.cat([h, *skip], dim=1) if skip else h
            out: Tensor = resnet(joined, embedding)
            return out if attend is None else attend(out).contiguous()

        out: Tensor = (checkpoint if self.config.checkpointing else _call)(
            layer, h, embedding, *skip
        )
        return out

    def _embedding(self, t: Tensor, r: Tensor, condition: Condition | None) -> Tensor:
        times = {"t": t, "r": r, "h": t - r}
        first, *second = (self._sinusoids(times[name]) for name in TIMES[self.config.conditioning])
        embedding: Tensor = self.body.time_embed(first)
        if second:
            embedding = embedding + self.interval_embed(second[0])
        if self.condition_embed is not None:
            return embedding + self.condition_embed(condition, value_of(t))
        if condition is not None:
            raise ValueError(f"this network takes no conditions: {', '.join(condition)} were given")
        return embedding

    def interval_embedding(self, interval: Tensor) -> Tensor:
        """Return what the branch of the second time adds, (B, 4 channels[0]), for times (B,)."""
        added: Tensor = self.interval_embed(self._sinusoids(interval))
        return added

    def _sinusoids(self, time: Tensor) -> Tensor:
        """Return times (B,) as sinusoids (B, channels[0])."""
        c, weight = self.config, self.body.time_embed[0].weight
        waves = sinusoids(time, c.channels[0], c.lowest_frequency, c.highest_frequency)
        return waves.to(weight.dtype)

    def _check(self, z: Tensor, t: Tensor, r: Tensor) -> None:
        c, divisor = self.config, self.config.divisor
        for name, value in (("z", z), ("t", t), ("r", r)):
            if not value.is_floating_point():
                raise TypeError(
                    f"{name} has dtype {value.dtype}: floating-point numbers are needed, for "
                    f"example {name}.float()"
                )

        if z.ndim != 5 or z.shape[1] != c.latent_channels:
            raise ValueError(
                f"z has shape {tuple(z.shape)}: this network takes (B, {c.latent_channels}, D, "
                "H, W); latents of another number of channels need a network with "
                "UNetConfig(latent_channels=...)"
            )
        if any(n % divisor or n == 0 for n in z.shape[2:]):
            padded = tuple(-(-max(n, 1) // divisor) * divisor for n in z.shape[2:])
            raise ValueError(
                f"z has spatial size {tuple(z.shape[2:])}: a network of {len(c.channels)} levels "
                f"takes multiples of {divisor}; pad to {padded} or use fewer levels"
            )
        if t.shape != (z.shape[0],) or r.shape != t.shape:
            raise ValueError(
                f"t and r have shapes {tuple(t.shape)} and {tuple(r.shape)}: "
                f"one time per sample is needed, ({len(z)},)"
            )


class VelocityHead(nn.Module):
    """Residual blocks on the decoder's features that predict the instantaneous
    velocity (arXiv 2512.02012).
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        from monai.networks.blocks import Convolution
        from monai.networks.nets.diffusion_model_unet import DiffusionUNetResnetBlock

        width, self.checkpointing = config.channels[0], config.checkpointing
        self.blocks = nn.ModuleList(
            DiffusionUNetResnetBlock(
                3, width, 4 * width, norm_num_groups=config.norm_groups, norm_eps=1e-6
            )
            for _ in range(config.v_head_blocks)
        )
        last = Convolution(
            3, width, config.latent_channels, strides=1, kernel_size=3, padding=1, conv_only=True
        )
        for parameter in last.parameters():
            nn.init.zeros_(parameter)  # as the body's output
        self.out = nn.Sequential(nn.GroupNorm(config.norm_groups, width, eps=1e-6), nn.SiLU(), last)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        for block in self.blocks:
            features = (checkpoint if self.checkpointing else _call)(block, features, embedding)
        prediction: Tensor = self.out(features)
        return prediction


class FloatGroupNorm(nn.GroupNorm):
    """Group normalisation in float32 or wider whatever autocast says; the
    result has the input's dtype.

    Under torch.compile it is written out, since the fused kernel has no forward-mode rule there.
    """

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
            normalise = _written_out if torch.compiler.is_compiling() else F.group_norm
            weight = self.weight.to(wide.dtype) if self.weight.dtype != wide.dtype else self.weight
            bias = self.bias.to(wide.dtype) if self.bias.dtype != wide.dtype else self.bias
            out = normalise(wide, self.num_groups, weight, bias, self.eps)
            return out if out.dtype == x.dtype else out.to(x.dtype)


def _written_out(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    grouped = x.reshape(x.shape[0], groups, -1)
    var, mean = torch.var_mean(grouped, -1, correction=0, keepdim=True)
    shape = (1, -1, *[1] * (x.ndim - 2))
    normal = ((grouped - mean) * torch.rsqrt(var + eps)).reshape(x.shape)
    return normal * weight.reshape(shape) + bias.reshape(shape)


def stock_network(config: UNetConfig, **inputs: Any) -> Any:
    """Return MONAI's network of these sizes, with further `inputs` of its own if asked for."""
    # MONAI takes seconds to import: not before a network is built.
    from monai.apps.generation.maisi.networks.diffusion_model_unet_maisi import (
        DiffusionModelUNetMaisi,
    )

    return DiffusionModelUNetMaisi(
        spatial_dims=3,
        in_channels=config.latent_channels,
        out_channels=config.latent_channels,
        num_channels=config.channels,
        attention_levels=config.attention,
        num_head_channels=config.attention_head_channels,
        num_res_blocks=config.res_blocks,
        norm_num_groups=config.norm_groups,
        resblock_updown=True,
        include_fc=True,
        **inputs,
    )


def _layers(block: Any) -> list[tuple[nn.Module, nn.Module | None]]:
    """Return a level's residual blocks, each with the attention that follows it, or None."""
    attentions = getattr(block, "attentions", None) or [None] * len(block.resnets)
    return list(zip(block.resnets, attentions, strict=True))


def _call(function: Any, *inputs: Tensor) -> Any:
    return function(*inputs)
