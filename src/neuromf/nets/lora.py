"""Low-rank adapters (LoRA, arXiv 2106.09685): a trained network learns anew with few parameters.

A layer W becomes W + (alpha / rank) B A. The layers keep their weights and their keys in the state
dict; A and B stand beside them as `lora_down` and `lora_up`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.nets.config import LoRA
from neuromf.nets.precondition import backbone

DOWN, UP = "lora_down", "lora_up"


class LowRankLinear(nn.Linear):
    """A linear layer with a low-rank term."""

    lora_down: nn.Parameter  # (rank, in)
    lora_up: nn.Parameter  # (out, rank), zero at first
    lora_scale: float

    def forward(self, x: Tensor) -> Tensor:
        """Return W x + b + scale B A x."""
        low = F.linear(F.linear(x, self.lora_down), self.lora_up)
        return F.linear(x, self.weight, self.bias) + self.lora_scale * low

    def delta(self) -> Tensor:
        """Return what the term adds to the weight."""
        return self.lora_scale * self.lora_up @ self.lora_down


class LowRankConv3d(nn.Conv3d):
    """A convolution with a low-rank term: one of its own size to `rank` channels, then 1 x 1 x 1
    (LoCon, arXiv 2309.14859).
    """

    lora_down: nn.Parameter  # (rank, in, k, k, k)
    lora_up: nn.Parameter  # (out, rank, 1, 1, 1), zero at first
    lora_scale: float

    def forward(self, x: Tensor) -> Tensor:
        """Return W * x + b + scale B * (A * x)."""
        steps: Any = (self.stride, self.padding, self.dilation)
        low = F.conv3d(F.conv3d(x, self.lora_down, None, *steps), self.lora_up)
        return F.conv3d(x, self.weight, self.bias, *steps) + self.lora_scale * low

    def delta(self) -> Tensor:
        """Return what the term adds to the weight; a 1 x 1 x 1 kernel is no special case."""
        up = self.lora_up.flatten(1)
        return self.lora_scale * torch.einsum("or,rixyz->oixyz", up, self.lora_down)


PLAIN: dict[type[nn.Module], type[nn.Module]] = {
    LowRankLinear: nn.Linear,
    LowRankConv3d: nn.Conv3d,
}


def add_lora(network: nn.Module, config: LoRA) -> int:
    """Freeze a network and give its target layers low-rank terms, which leave its output as it is
    until they are trained; return the rank.

    Raises ValueError where a rank is above a layer's size, or the network has adapters already.
    """
    targets = dict(target_layers(network, config.targets))
    if any(hasattr(m, DOWN) for m in network.modules()):
        raise ValueError("this network has adapters already: merge them first (`merge_lora`)")
    if not targets:
        raise ValueError(f"lora.targets={config.targets}: this network has no such layer")
    rank = config.rank or rank_of(targets.values(), config.parameters)
    for name, layer in targets.items():
        smallest = min(layer.weight.shape[0], layer.weight[0].numel())
        if rank > smallest:
            raise ValueError(
                f"lora.rank is {rank}: {name} has the weight {tuple(layer.weight.shape)}, whose "
                f"rank is {smallest} at most"
            )

    network.requires_grad_(False)
    for layer in targets.values():
        _adapt(layer, rank, config.alpha / rank)
    return rank


def merge_lora(network: nn.Module) -> None:
    """Add the low-rank terms to their layers' weights and take them away: a plain network with the
    same output, up to rounding.
    """
    for layer in network.modules():
        plain = PLAIN.get(type(layer))
        if plain is None:
            continue
        with torch.no_grad():
            layer.weight += layer.delta()  # type: ignore[operator]
        del layer.lora_down, layer.lora_up, layer.lora_scale
        layer.__class__ = plain


def target_layers(network: nn.Module, targets: str) -> Iterator[tuple[str, Any]]:
    """Yield the layers that an adapter changes, by name: q, k and v of the attention, the two 3 x 3
    x 3 convolutions of each residual block, or both.
    """
    from monai.networks.blocks import SABlock
    from monai.networks.nets.diffusion_model_unet import DiffusionUNetResnetBlock

    for name, module in backbone(network).named_modules():
        if isinstance(module, SABlock) and targets in ("attention", "both"):
            for part in ("to_q", "to_k", "to_v"):
                yield f"{name}.{part}", getattr(module, part)
        if isinstance(module, DiffusionUNetResnetBlock) and targets in ("convolutions", "both"):
            for part in ("conv1", "conv2"):
                yield f"{name}.{part}.conv", getattr(module, part).conv


def rank_of(layers: Any, parameters: int) -> int:
    """Return the largest rank whose terms have no more than so many parameters. Raises ValueError
    where rank 1 has more.
    """
    each = sum(layer.weight.shape[0] + layer.weight[0].numel() for layer in layers)
    rank = int(parameters // each)
    if rank < 1:
        raise ValueError(f"lora.parameters is {parameters}: rank 1 needs {each} already")
    return rank


def trained(network: nn.Module) -> tuple[int, int]:
    """Return how many of a network's parameters are trained, and how many there are."""
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    return sum(n for n, on in sizes if on), sum(n for n, _ in sizes)


def _adapt(layer: Any, rank: int, scale: float) -> None:
    convolution = isinstance(layer, nn.Conv3d)
    like = {"device": layer.weight.device, "dtype": layer.weight.dtype}
    down = torch.empty(rank, *layer.weight.shape[1:], **like)
    nn.init.kaiming_uniform_(down, a=math.sqrt(5))
    up = torch.zeros(layer.weight.shape[0], rank, *[1] * (3 * convolution), **like)

    layer.lora_down, layer.lora_up = nn.Parameter(down), nn.Parameter(up)
    layer.lora_scale = scale
    layer.__class__ = LowRankConv3d if convolution else LowRankLinear
