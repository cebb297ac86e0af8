"""Detail that a decoder leaves out, brought back by a fixed filter.

A decoder trained by a distance returns about the mean of all volumes that have the same latent, and
a mean has less energy than what it is the mean of: at high spatial frequencies, where the latent
says little, a half or less. A filter that raises those frequencies costs little likeness, since
around its minimum a distance is flat.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuromf.autoencoder.frozen import FrozenVAE


def high_pass(volumes: Tensor) -> Tensor:
    """Return volumes (B, 1, D, H, W) minus what the binomial filter (1, 2, 1) / 4 along each axis
    leaves of them; beyond its border a volume goes on as it ends.

    Along an axis the gain is (1 - cos ω) / 2 for ω radians a voxel: a half at half the Nyquist
    frequency, 1 at the Nyquist frequency. A Fourier transform would not be local.
    """
    smooth = volumes
    for axis in (2, 3, 4):
        n = smooth.shape[axis]
        ends = [0, 0] * (4 - axis) + [1, 1]
        wide = F.pad(smooth, [*ends, *[0] * (6 - len(ends))], mode="replicate")
        sides = wide.narrow(axis, 0, n) + wide.narrow(axis, 2, n)
        smooth = 0.25 * sides + 0.5 * smooth
    return volumes - smooth


def sharpened(volumes: Tensor, amount: float | Tensor) -> Tensor:
    """Return volumes (B, 1, D, H, W) plus `amount` times what passes the high pass twice: along an
    axis the gain is 1 + amount (1 - cos ω)² / 4, flat where the decoder is right.
    """
    return volumes + amount * high_pass(high_pass(volumes))


class Sharpened(nn.Module):
    """A VAE's network whose volumes are sharpened."""

    amount: Tensor

    def __init__(self, network: nn.Module, amount: float) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("amount", torch.tensor(amount))  # part of the fingerprint

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the posterior's mean and standard deviation."""
        found: tuple[Tensor, Tensor] = self.network.encode(x)  # type: ignore[operator]
        return found

    def decode(self, z: Tensor) -> Tensor:
        """Return volumes (B, 1, D, H, W) for latents, float32."""
        volumes: Tensor = self.network.decode(z)  # type: ignore[operator]
        return sharpened(volumes.float(), self.amount)


def with_sharpening(vae: FrozenVAE, amount: float, name: str) -> FrozenVAE:
    """Return the VAE that encodes as `vae` does and sharpens what it decodes."""
    return FrozenVAE(
        Sharpened(vae.network, amount),
        name,
        vae.channels,
        vae.factor,
        vae.decode_bytes,
        vae.precision,
        vae.device,
        tuple(f"network.{prefix}" for prefix in vae.decoder),
        space=vae.space,
        earlier=vae.whole,
    )
