"""A trained network for latents with more channels: an image's, and those of its lesion mask.

Until it has learned, the image part is the trained network's, bit for bit: what the new channels
add to its first layer, and what its last layer gives for them, is zero.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.flow.gaussian import GaussianFlow
from neuromf.nets.precondition import Preconditioned, Skip, backbone
from neuromf.nets.unet import DualTimeUNet


class WiderIn(nn.Conv3d):
    """A convolution that takes further channels, by weights of their own (zero at first)."""

    grown: nn.Parameter  # (out, new, k, k, k)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of all channels, a sum of two."""
        old = self.weight.shape[1]
        more = F.conv3d(x[:, old:], self.grown, None, self.stride, self.padding)
        return F.conv3d(x[:, :old], self.weight, self.bias, self.stride, self.padding) + more

    def merged(self) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias of one convolution that does the same."""
        return torch.cat([self.weight, self.grown], 1), self.bias


class WiderOut(nn.Conv3d):
    """A convolution that gives further channels, by weights of their own (zero at first)."""

    grown: nn.Parameter  # (new, in, k, k, k)
    grown_bias: nn.Parameter  # (new,)

    def forward(self, x: Tensor) -> Tensor:
        """Return all channels, the old ones first."""
        old = F.conv3d(x, self.weight, self.bias, self.stride, self.padding)
        new = F.conv3d(x, self.grown, self.grown_bias, self.stride, self.padding)
        return torch.cat([old, new], 1)

    def merged(self) -> tuple[Tensor, Tensor | None]:
        """Return weight and bias of one convolution that does the same."""
        bias = torch.zeros_like(self.weight[:, 0, 0, 0, 0]) if self.bias is None else self.bias
        return torch.cat([self.weight, self.grown]), torch.cat([bias, self.grown_bias])


class Blocks(nn.Module):
    """Flows in closed form, each of its own channels, one after another."""

    def __init__(self, *flows: GaussianFlow) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)
        self.sizes = [len(flow.mean) for flow in flows]

    def forward(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Return u (B, C, D, H, W)."""
        parts: list[Tensor] = []
        start = 0
        for flow, size in zip(self.flows, self.sizes, strict=True):
            parts.append(flow(z[:, start : start + size], t, r))
            start += size
        return torch.cat(parts, 1)

    def merged(self) -> GaussianFlow:
        """Return one flow of all channels that does the same."""
        flows: Any = self.flows
        return GaussianFlow(
            torch.cat([f.mean for f in flows]),
            torch.block_diag(*(f.rotation for f in flows)),
            torch.cat([f.amplitude for f in flows]),
        )


def grow(network: nn.Module, channels: int, base: GaussianFlow | None = None) -> None:
    """Make a network of latents (B, C, ...) one of (B, C + channels, ...). `base` is the flow in
    closed form of the new channels, where the network has one of the old.

    Raises ValueError for a network with a v head, or without the `base` that it needs.
    """
    unet = backbone(network)
    if not isinstance(unet, DualTimeUNet) or unet.head is not None:
        raise ValueError("only a network without a v head can take further channels")
    if isinstance(network, Preconditioned) and not isinstance(network.base, Skip):
        if base is None:
            raise ValueError("this network stands about the flow of a Gaussian: give base=")
        network.base = Blocks(network.base, base)  # type: ignore[assignment]

    first, last = unet.body.conv_in.conv, unet.body.out[-1].conv
    kernel, like = first.weight.shape[2:], first.weight
    first.grown = nn.Parameter(like.new_zeros(first.weight.shape[0], channels, *kernel))
    last.grown = nn.Parameter(like.new_zeros(channels, last.weight.shape[1], *kernel))
    last.grown_bias = nn.Parameter(like.new_zeros(channels))
    first.__class__, last.__class__ = WiderIn, WiderOut
    unet.config = replace(unet.config, latent_channels=unet.config.latent_channels + channels)


def merge_grown(network: nn.Module) -> None:
    """Make a grown network a plain one with the same output, up to rounding."""
    for layer in network.modules():
        if isinstance(layer, WiderIn | WiderOut):
            weight, bias = layer.merged()
            del layer.grown
            if isinstance(layer, WiderOut):
                del layer.grown_bias
            layer.weight = nn.Parameter(weight.detach())
            layer.bias = None if bias is None else nn.Parameter(bias.detach())
            layer.out_channels, layer.in_channels = weight.shape[:2]
            layer.__class__ = nn.Conv3d  # type: ignore[assignment]
    if isinstance(network, Preconditioned) and isinstance(network.base, Blocks):
        network.base = network.base.merged()
