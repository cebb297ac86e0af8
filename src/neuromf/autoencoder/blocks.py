"""Layers of the small VAE and of fast decoders. Only the convolutions mix voxels, so that a
patch, a tile and a whole volume see the same network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """Root-mean-square norm over the channels of each voxel (Zhang and Sennrich 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Return x of the same shape."""
        scale = x.float().square().mean(1, keepdim=True).add(1e-6).rsqrt()
        return x * scale.to(x.dtype) * self.weight.to(x.dtype).view(-1, 1, 1, 1)


class Residual(nn.Module):
    """x plus two convolutions of it; the second starts at 0, so that the block starts
    as the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ChannelNorm(width),
            nn.SiLU(),
            conv(width, width),
            ChannelNorm(width),
            nn.SiLU(),
            conv(width, width),
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return x of the same shape."""
        out: Tensor = x + self.layers(x)
        return out


class Gather(nn.Module):
    """(B, C, D, H, W) to (B, 8 C, D/2, H/2, W/2): each block of 2 x 2 x 2
    voxels becomes channels.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the gathered tensor."""
        b, c, d, h, w = x.shape
        x = x.view(b, c, d // 2, 2, h // 2, 2, w // 2, 2)
        return x.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(b, 8 * c, d // 2, h // 2, w // 2)


class Scatter(nn.Module):
    """The inverse of Gather."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the scattered tensor."""
        b, c, d, h, w = x.shape
        x = x.reshape(b, c // 8, 2, 2, 2, d, h, w)
        return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, 2 * d, 2 * h, 2 * w)


def channels_last(network: nn.Module) -> None:
    """Store a network's weights so that convolutions run with channels last, which is four
    times as fast on a CPU.
    """
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def conv(inputs: int, outputs: int) -> nn.Conv3d:
    """Return a convolution of 3 x 3 x 3 that keeps the size."""
    return nn.Conv3d(inputs, outputs, 3, padding=1)
