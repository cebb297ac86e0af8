"""How alike two volumes of one brain are: SSIM, PSNR, gradient-magnitude similarity."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 11  # voxels a side
SIGMA = 1.5
K1, K2 = 0.01, 0.03
SCALE_WINDOW = 7  # voxels a side, of the multi-scale measure
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # exponents of the scales, finest first (Wang 2003)
GMS_CONSTANT = 0.0026  # c of Xue 2014 for values in [0, 1]: 170 / 255²


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None, data_range: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio in dB of two tensors of equal shape, over the voxels of `mask` if given.

    Infinite for equal tensors.
    """
    error = (a - b).double().square()
    mean = error[mask].mean() if mask is not None else error.mean()
    return 10 * math.log10(data_range**2 / float(mean)) if mean > 0 else math.inf


def ssim(a: Tensor, b: Tensor, mask: Tensor | None = None, data_range: float = 1.0) -> float:
    """Return the mean structural similarity of two volumes (D, H, W), over the voxels of `mask` if given (Wang
    2004).
    """
    values = ssim_map(a, b, data_range)
    return float(values[mask].mean() if mask is not None else values.mean())


def ssim_map(a: Tensor, b: Tensor, data_range: float = 1.0) -> Tensor:
    """Return the structural similarity around each voxel of two volumes (D, H, W): Gaussian window of 11³, sigma 1.5.

    Beyond the border the volumes are mirrored.
    """
    if a.shape != b.shape or a.ndim != 3 or min(a.shape) < WINDOW:
        raise ValueError(
            f"SSIM takes two volumes (D, H, W) of equal shape, {WINDOW} voxels or more a side: {tuple(a.shape)}, "
            f"{tuple(b.shape)}"
        )
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    a, b = a.float(), b.float()
    mean_a, mean_b, aa, bb, ab = _blur(torch.stack([a, b, a * a, b * b, a * b]))
    variance_a, variance_b, covariance = aa - mean_a**2, bb - mean_b**2, ab - mean_a * mean_b
    light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
    return light * structure


def ms_ssim(a: Tensor, b: Tensor, data_range: float = 1.0) -> float:
    """Return the multi-scale structural similarity of two volumes (D, H, W): Gaussian window of 7³ (Wang 2003).

    Of the five scales as many as the volume is large enough for, their exponents scaled to a sum of 1. Raises
    ValueError for volumes smaller than the window, or of different shape.
    """
    from monai.metrics.regression import compute_ms_ssim

    if a.shape != b.shape or a.ndim != 3 or min(a.shape) < SCALE_WINDOW:
        raise ValueError(
            f"MS-SSIM takes two volumes (D, H, W) of equal shape, {SCALE_WINDOW} voxels or more a side: "
            f"{tuple(a.shape)}, {tuple(b.shape)}"
        )
    scales = max(s for s in range(1, 6) if min(a.shape) // max(1, s - 1) ** 2 >= SCALE_WINDOW)
    weights = torch.tensor(SCALE_WEIGHTS[:scales])
    value = compute_ms_ssim(
        a.float()[None, None],
        b.float()[None, None],
        spatial_dims=3,
        data_range=data_range,
        kernel_size=SCALE_WINDOW,
        weights=(weights / weights.sum()).tolist(),
    )
    return float(value)


def gmsd(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """Return the gradient-magnitude similarity deviation of two volumes (D, H, W) in [0, 1]; 0 is equal (Xue 2014).

    A perceptual distance that needs no network; here in three dimensions, with Prewitt differences.
    """
    ga, gb = gradient_magnitude(a), gradient_magnitude(b)
    similarity = (2 * ga * gb + GMS_CONSTANT) / (ga**2 + gb**2 + GMS_CONSTANT)
    return float((similarity[mask] if mask is not None else similarity).std(correction=0))


def gradient_magnitude(volume: Tensor) -> Tensor:
    """Return the length of the Prewitt gradient of a volume (D, H, W), mirrored at its borders."""
    total = torch.zeros_like(volume, dtype=torch.float32)
    difference = torch.tensor([-0.5, 0.0, 0.5])
    mean = torch.full((3,), 1 / 3)
    for axis in range(3):
        out = volume.float()[None]
        for other in range(3):
            out = _along(out, difference if other == axis else mean, other)
        total += out[0] ** 2
    return total.sqrt()


def _blur(volumes: Tensor) -> Tensor:
    """Return volumes (N, D, H, W) under the Gaussian window."""
    at = torch.arange(WINDOW) - WINDOW // 2
    kernel = torch.exp(-0.5 * (at / SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    for axis in range(3):
        volumes = _along(volumes, kernel, axis)
    return volumes


def _along(volumes: Tensor, kernel: Tensor, axis: int) -> Tensor:
    """Return volumes (N, D, H, W) convolved along one axis, mirrored beyond the border."""
    moved = volumes.movedim(axis + 1, -1)
    rows = moved.reshape(-1, 1, moved.shape[-1])
    pad = len(kernel) // 2
    out = F.conv1d(F.pad(rows, (pad, pad), mode="reflect"), kernel.view(1, 1, -1).to(rows))
    return out.view(moved.shape).movedim(-1, axis + 1)
