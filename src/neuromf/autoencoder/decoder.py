"""A fast decoder for the latents of a frozen encoder of factor 4: nearly all of its work is done at
the resolution of the latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neuromf.autoencoder.blocks import ChannelNorm, Residual, Scatter, channels_last, conv

FACTOR = 4  # voxels of a volume per voxel of a latent, along each axis

# peak memory of decoding per voxel of the latent, see benchmarks/decode_memory.py
FAST_BYTES = 2_500.0


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a fast decoder."""

    quarter: int = 96  # width at the resolution of the latents
    half: int = 16  # width at half resolution
    quarter_blocks: int = 2  # residual blocks at the resolution of the latents
    half_blocks: int = 1  # residual blocks at half resolution

    def __post_init__(self) -> None:
        if min(self.quarter, self.half) < 1 or min(self.quarter_blocks, self.half_blocks) < 0:
            raise ValueError(f"{self}: widths are 1 or more, numbers of blocks not negative")


class FastDecoder(nn.Module):
    """Latents (B, channels, D, H, W) to volumes (B, 1, 4 D, 4 H, 4 W).

    A convolution at full resolution would cost more than all others together, so there is none:
    the last one gives the eight voxels of each 2 x 2 x 2 block as channels. Normalisation is over
    the channels of each voxel, as in the small VAE.
    """

    def __init__(self, config: DecoderConfig = DecoderConfig(), channels: int = 4) -> None:
        super().__init__()
        quarter, half = config.quarter, config.half
        last = conv(half, 8)
        self.layers = nn.Sequential(
            conv(channels, quarter),
            *(Residual(quarter) for _ in range(config.quarter_blocks)),
            ChannelNorm(quarter),
            nn.SiLU(),
            nn.Conv3d(quarter, 8 * half, 1),
            Scatter(),
            *(Residual(half) for _ in range(config.half_blocks)),
            ChannelNorm(half),
            nn.SiLU(),
            last,
            Scatter(),
        )
        # Its input has unit variance and most voxels are near 0: training starts near 0 too.
        with torch.no_grad():
            last.weight.mul_(0.1)

    def forward(self, z: Tensor) -> Tensor:
        """Return volumes for latents."""
        volume: Tensor = self.layers(z)
        return volume


def new_decoder(config: DecoderConfig, channels: int, seed: int) -> FastDecoder:
    """Return an untrained decoder, a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = FastDecoder(config, channels)
    channels_last(network)
    return network
