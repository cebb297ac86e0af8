"""Similarity of two volumes of one brain: SSIM, PSNR, gradient-magnitude similarity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from neuromf.metrics.points import check_tensor

WINDOW = 11  # voxels per side
SIGMA = 1.5
K1, K2 = 0.01, 0.03
SCALE_WINDOW = 7  # voxels per side, of the multi-scale measure
# exponents of the scales, finest first (Wang 2003)
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# c of Xue 2014 for values in [0, 1]: 170 / 255² for differences across two voxels, which are twice
# the gradients here
GMS_CONSTANT = 170 / 255**2 / 4


class Moments(NamedTuple):
    """A volume (D, H, W), with the mean and the mean square around each voxel under a
    Gaussian window.

    They are half of the cost of SSIM, and the same for all comparisons of one volume.
    """

    values: Tensor
    mean: Tensor
    square: Tensor


def psnr(a: Tensor, b: Tensor, mask: Tensor | None = None, data_range: float = 1.0) -> float:
    """Return the peak signal-to-noise ratio in dB of two tensors of equal shape, over the voxels of
    `mask` if given.

    Infinite for equal tensors, NaN if there is NaN. Raises ValueError for tensors of different
    shape or not of floating-point numbers.
    """
    _refuse_unlike("PSNR", a, b, mask, data_range)
    error = (a - b).double().square()
    mean = error[mask].mean() if mask is not None else error.mean()
    return math.inf if mean == 0 else 10 * math.log10(data_range**2 / float(mean))


def ssim(a: Tensor, b: Tensor, mask: Tensor | None = None, data_range: float = 1.0) -> float:
    """Return the mean structural similarity of two volumes (D, H, W), over the voxels of `mask` if
    given (Wang 2004). Raises ValueError as `ssim_map` does.
    """
    _refuse_unlike("SSIM", a, b, mask, data_range)
    values = ssim_map(a, b, data_range)
    return float(values[mask].mean() if mask is not None else values.mean())


def ssim_map(a: Tensor, b: Tensor, data_range: float = 1.0) -> Tensor:
    """Return the structural similarity around each voxel of two volumes (D, H, W): Gaussian window
    of 11³, sigma 1.5.

    Volumes are mirrored at the border. Raises ValueError for anything but two volumes of one shape,
    at least as large as the window.
    """
    _refuse_small("SSIM", a, b, WINDOW)
    _refuse_unlike("SSIM", a, b, None, data_range)
    return similarity(local_moments(a), local_moments(b), data_range)


def local_moments(volume: Tensor) -> Moments:
    """Return the moments of a volume (D, H, W) under SSIM's window, mirrored beyond the border."""
    x = volume.float()
    mean, square = _blur(torch.stack([x, x * x]))
    return Moments(x, mean, square)


def similarity(a: Moments, b: Moments, data_range: float = 1.0) -> Tensor:
    """Return the structural similarity (D, H, W) of two volumes whose moments are known."""
    light, structure = _light_and_structure(a, b, _blur((a.values * b.values)[None])[0], data_range)
    return light * structure


def ms_ssim(a: Tensor, b: Tensor, data_range: float = 1.0) -> float:
    """Return the multi-scale structural similarity of two volumes (D, H, W): Gaussian window of
    7³ (Wang 2003).

    Of the five scales, as many are used as the volume is large enough for, with exponents rescaled
    to a sum of 1. Raises ValueError for volumes smaller than the window, or of different shape.
    """
    _refuse_small("MS-SSIM", a, b, SCALE_WINDOW)
    _refuse_unlike("MS-SSIM", a, b, None, data_range)
    return multiscale_similarity(pyramid(a), pyramid(b), data_range)


def pyramid(volume: Tensor) -> list[Moments]:
    """Return the moments of a volume (D, H, W) at each scale of MS-SSIM, finest first; none
    beyond the border.
    """
    x = volume.float()
    out = []
    # the last of s scales is halved s - 1 times; (s - 1)² is the rule of others' implementations
    needed = {s: max(2 ** (s - 1), (s - 1) ** 2) * SCALE_WINDOW for s in range(1, 6)}
    for _ in range(max(s for s, side in needed.items() if min(x.shape) >= side)):
        out.append(Moments(x, _within(x), _within(x * x)))
        x = F.avg_pool3d(x[None], 2)[0]
    return out


def multiscale_similarity(
    a: Sequence[Moments], b: Sequence[Moments], data_range: float = 1.0
) -> float:
    """Return the MS-SSIM of two volumes whose moments at each scale are known."""
    levels = []
    for scale, (x, y) in enumerate(zip(a, b, strict=True), start=1):
        light, structure = _light_and_structure(x, y, _within(x.values * y.values), data_range)
        levels.append(
            torch.relu((light * structure if scale == len(a) else structure).flatten().mean())
        )
    weights = torch.tensor(SCALE_WEIGHTS[: len(levels)])
    return float(torch.prod(torch.stack(levels) ** (weights / weights.sum())))


def gmsd(a: Tensor, b: Tensor, mask: Tensor | None = None) -> float:
    """Return the gradient-magnitude similarity deviation of two volumes (D, H, W) in [0, 1]; 0 is
    equal (Xue 2014).

    It is a perceptual distance that needs no network; here in three dimensions, with
    Prewitt differences, and without Xue's reduction to half the resolution before them.
    """
    _refuse_small("GMSD", a, b, 2)
    _refuse_unlike("GMSD", a, b, mask, 1.0)
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


def _light_and_structure(
    a: Moments, b: Moments, product: Tensor, data_range: float
) -> tuple[Tensor, Tensor]:
    """Return the luminance term and the contrast-structure term of two volumes; `product` is the
    mean of their product.
    """
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    variance_a, variance_b = a.square - a.mean**2, b.square - b.mean**2
    light = (2 * a.mean * b.mean + c1) / (a.mean**2 + b.mean**2 + c1)
    structure = (2 * (product - a.mean * b.mean) + c2) / (variance_a + variance_b + c2)
    return light, structure


def _gaussian(width: int) -> Tensor:
    """Return the weights (width,) of a Gaussian of SIGMA voxels, with a sum of 1."""
    kernel = torch.exp(-0.5 * ((torch.arange(width) - width // 2) / SIGMA) ** 2)
    return kernel / kernel.sum()


def _blur(volumes: Tensor) -> Tensor:
    """Return volumes (N, D, H, W) under SSIM's window, mirrored beyond the border."""
    for axis in range(3):
        volumes = _along(volumes, _gaussian(WINDOW), axis)
    return volumes


def _within(volume: Tensor) -> Tensor:
    """Return a volume (D, H, W) under the window of MS-SSIM, where that lies within the volume."""
    line = _gaussian(SCALE_WINDOW)
    cube = line[:, None, None] * line[None, :, None] * line[None, None, :]
    return F.conv3d(volume[None, None], cube[None, None].to(volume))[0, 0]


def _along(volumes: Tensor, kernel: Tensor, axis: int) -> Tensor:
    """Return volumes (N, D, H, W) convolved along one axis, mirrored beyond the border."""
    n, pad = volumes.shape[axis + 1], len(kernel) // 2
    mirrored = torch.cat(
        [torch.arange(pad, 0, -1), torch.arange(n), torch.arange(n - 2, n - 2 - pad, -1)]
    )
    padded = volumes.index_select(axis + 1, mirrored.to(volumes.device))
    first, *others = kernel.tolist()
    out = padded.narrow(axis + 1, 0, n) * first
    for shift, weight in enumerate(others, start=1):  # four times as fast as conv1d of one channel
        out.add_(padded.narrow(axis + 1, shift, n), alpha=weight)
    return out


def _refuse_small(what: str, a: Tensor, b: Tensor, window: int) -> None:
    """Raise ValueError for anything but two volumes (D, H, W) of equal shape, at least as
    large as a window.
    """
    check_tensor(what, a)
    check_tensor(what, b)
    if a.shape != b.shape or a.ndim != 3 or min(a.shape) < window:
        raise ValueError(
            f"{what} takes two volumes (D, H, W) of equal shape, {window} voxels or more a side: "
            f"{tuple(a.shape)}, {tuple(b.shape)}"
        )


def _refuse_unlike(what: str, a: Tensor, b: Tensor, mask: Tensor | None, data_range: float) -> None:
    """Raise ValueError for tensors of different shape or not of real numbers, or a mask that
    selects no voxel.
    """
    check_tensor(what, a)
    check_tensor(what, b)

    if a.shape != b.shape or not a.numel():
        raise ValueError(
            f"{what} takes two tensors of equal shape: {tuple(a.shape)} and {tuple(b.shape)} came"
        )
    if mask is not None and (mask.dtype != torch.bool or mask.shape != a.shape or not mask.any()):
        raise ValueError(
            f"{what} takes a mask of bool in the tensors' shape {tuple(a.shape)} with a voxel in "
            f"it: {mask.dtype} of shape {tuple(mask.shape)} came, {int(mask.sum())} chosen"
        )
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(f"data_range is {data_range}: the span of the values is above 0")
