"""How much fine detail a volume holds: energy at high spatial frequencies."""

from __future__ import annotations

import torch
from torch import Tensor

CUTOFF = 0.5  # of the Nyquist frequency: waves shorter than 4 voxels are high


def high_frequency_energy(volume: Tensor, cutoff: float = CUTOFF) -> float:
    """Return the spectral energy of a volume (D, H, W) above a radius of `cutoff` times Nyquist, per voxel, its
    mean left out.
    """
    values = volume.double() - volume.double().mean()
    power = torch.fft.fftn(values).abs().square() / values.numel() ** 2
    return float(power[frequency_radius(volume) > cutoff].sum())


def high_frequency_ratio(volume: Tensor, reference: Tensor, cutoff: float = CUTOFF) -> float:
    """Return ρ, the high-frequency energy of `volume` over that of `reference`: below 1 is smoother, above 1 is
    noisier.
    """
    return high_frequency_energy(volume, cutoff) / max(high_frequency_energy(reference, cutoff), 1e-30)


def frequency_radius(volume: Tensor) -> Tensor:
    """Return the length of each frequency of the transform of a volume (D, H, W), in units of the Nyquist frequency."""
    axes = [torch.fft.fftfreq(n, d=0.5, dtype=torch.float64) for n in volume.shape]
    d, h, w = torch.meshgrid(*axes, indexing="ij")
    return torch.sqrt(d**2 + h**2 + w**2)
