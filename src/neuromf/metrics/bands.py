"""Latents by frequency band: their power, and the error of some of them against others."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuromf.metrics.points import check_tensor
from neuromf.metrics.spectrum import frequency_radius

BANDS = 8
AXES = (-3, -2, -1)


class BandError(NamedTuple):
    """How far latents are from a reference; no units."""

    whole: float  # ‖x - reference‖ / ‖reference - mean‖
    bands: Tensor  # (bands,): the same of each band's waves
    power: Tensor  # (bands,): power of x - mean over that of reference - mean


def band_power(latents: Tensor, bands: int = BANDS) -> Tensor:
    """Return (bands,) float64: the mean power spectrum, the squared modulus of the FFT over the
    number of voxels, of latents (N, C, D, H, W) over the waves of each band, all channels and all
    latents; 1 in every band for standard normal noise.

    Bands are equal fractions of the Nyquist frequency by radius, each axis in units of its own;
    the last band has the corners beyond it too. A band without a wave, which small latents have,
    is NaN. Raises ValueError for another shape, or no latent.
    """
    check_tensor("the power of bands", latents)
    if latents.ndim != 5 or not latents.numel():
        raise ValueError(
            f"bands are of latents (N, C, D, H, W), one or more: shape {tuple(latents.shape)} came"
        )
    if bands < 1:
        raise ValueError(f"bands is {bands}: 1 or more")

    radius = frequency_radius(latents[0, 0])
    band = (radius * bands).long().clamp(max=bands - 1).flatten().to(latents.device)
    power = torch.zeros(radius.numel(), dtype=torch.float64, device=latents.device)
    for latent in latents:  # one at a time: the transform takes four times a latent's memory
        waves = torch.fft.fftn(latent.double(), dim=AXES, norm="ortho")
        power += waves.abs().square().mean(0).flatten()

    sums = torch.zeros(bands, dtype=torch.float64, device=latents.device)
    sums.index_add_(0, band, power / len(latents))
    return (sums / torch.bincount(band, minlength=bands)).cpu()  # 0 / 0 is NaN


def band_error(x: Tensor, reference: Tensor, mean: Tensor, bands: int = BANDS) -> BandError:
    """Return the error of latents x against a reference, both (N, C, D, H, W), row by row; `mean`
    (C, D, H, W) is the mean latent. 0 is equal, about 1.4 two unrelated sets of the same
    distribution, 1 the mean itself.

    Raises ValueError where shapes differ.
    """
    if x.shape != reference.shape or mean.shape != reference.shape[1:]:
        raise ValueError(
            f"latents {tuple(x.shape)}, reference {tuple(reference.shape)}, mean "
            f"{tuple(mean.shape)}: the first two are to be equal, the mean one of them"
        )

    error, spread = (x - reference).double(), (reference - mean).double()
    whole = float((error.square().sum() / spread.square().sum()).sqrt())
    of_reference = band_power(spread, bands)
    return BandError(
        whole,
        (band_power(error, bands) / of_reference).sqrt(),
        band_power(x - mean, bands) / of_reference,
    )


def by_band(name: str, values: Tensor) -> dict[str, float]:
    """Return values of bands (bands,) as name_1, name_2, ... from low to high; NaN, as of a band
    without a wave, is left out.
    """
    numbered = enumerate(values.tolist(), 1)
    return {f"{name}_{i}": value for i, value in numbered if not math.isnan(value)}
