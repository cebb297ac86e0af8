"""Fine detail of a volume: energy at high spatial frequencies."""

from __future__ import annotations

import torch
from torch import Tensor

from neuromf.metrics.points import check_tensor

CUTOFF = 0.5  # of the Nyquist frequency: waves shorter than 4 voxels are high


def high_frequency_energy(volume: Tensor, cutoff: float = CUTOFF) -> float:
    """Return the spectral energy of a volume (D, H, W) above `cutoff` times the Nyquist frequency,
    per voxel, without the volume's mean. Raises ValueError for anything but one volume.
    """
    _check_volume(volume)
    values = volume.double() - volume.double().mean()
    power = torch.fft.fftn(values).abs().square() / values.numel() ** 2
    return float(power[frequency_radius(volume) > cutoff].sum())


def high_frequency_ratio(volume: Tensor, reference: Tensor, cutoff: float = CUTOFF) -> float:
    """Return the high-frequency energy of `volume` divided by that of `reference`: below 1 is
    smoother, above 1 is noisier.
    """
    return high_frequency_energy(volume, cutoff) / max(
        high_frequency_energy(reference, cutoff), 1e-30
    )


def radial_power(volume: Tensor, bins: int = 32) -> Tensor:
    """Return (bins,): the mean spectral power of a volume (D, H, W) in shells from 0 to the
    Nyquist frequency.

    Multiplying the volume by a multiplies the power by a². Frequencies are in units of each
    axis's Nyquist frequency, and corners beyond it are left out. Raises ValueError for anything
    but one volume.
    """
    _check_volume(volume)
    power = torch.fft.fftn(volume.double()).abs().square() / volume.numel() ** 2
    shell = (frequency_radius(volume) * bins).long().flatten()
    inside = shell < bins
    sums = torch.zeros(bins, dtype=torch.float64).index_add_(
        0, shell[inside], power.flatten()[inside]
    )
    return sums / torch.bincount(shell[inside], minlength=bins).clamp(min=1)


def frequency_radius(volume: Tensor) -> Tensor:
    """Return the length of each frequency of the transform of a volume (D, H, W), in units of the
    Nyquist frequency.
    """
    axes = [torch.fft.fftfreq(n, d=0.5, dtype=torch.float64) for n in volume.shape]
    d, h, w = torch.meshgrid(*axes, indexing="ij")
    return torch.sqrt(d**2 + h**2 + w**2)


def _check_volume(volume: Tensor) -> None:
    """Raise ValueError for anything but one volume (D, H, W) of floating-point numbers."""
    check_tensor("a spectrum", volume)
    if volume.ndim != 3 or not volume.numel():
        raise ValueError(f"a spectrum is of one volume (D, H, W): shape {tuple(volume.shape)} came")
