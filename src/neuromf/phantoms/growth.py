"""Regions of an exact size that grow from one voxel, and their soft borders."""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.foreground import Mask
from neuromf.data.volume import VolumeError

Field = NDArray[np.float32]  # (D, H, W)
Seed = tuple[int, int, int]
NEIGHBOURS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))


def whole_voxels(ml: float, limits: tuple[float, float], voxel_ml: float) -> int:
    """Return the number of voxels nearest to a volume whose own volume lies within `limits`, ml.

    If no whole number of voxels lies within the limits, the volume may deviate by a tenth. Raises
    VolumeError if voxels are too large for that.
    """
    low, high = math.ceil(limits[0] / voxel_ml - 1e-6), math.floor(limits[1] / voxel_ml + 1e-6)
    nearest = round(ml / voxel_ml)
    if max(low, 1) <= high:
        return min(max(nearest, low, 1), high)
    if nearest and abs(nearest * voxel_ml - ml) <= 0.1 * ml:
        return nearest

    raise VolumeError(
        f"a lesion of {limits[0]:g} to {limits[1]:g} ml was asked for, but a voxel measures "
        f"{voxel_ml:.3g} ml: take smaller voxels or larger lesions"
    )


def grow(cost: Field, allowed: Mask, seed: Seed, voxels: int, given: Mask | None = None) -> Mask:
    """Return the connected region of exactly `voxels` allowed voxels around a seed.

    It starts at the seed and takes, one at a time, the neighbour of least cost. Voxels `given`
    belong to the region from the start and count. Raises VolumeError if the allowed region is too
    small.
    """
    region = np.zeros(allowed.shape, bool) if given is None else given.copy()
    missing = voxels - int(region.sum())
    passable = allowed | region
    front, seen = [(0.0, seed)], np.zeros(allowed.shape, bool)
    seen[seed] = True

    while front and missing > 0:
        _, at = heapq.heappop(front)
        missing -= not region[at]
        region[at] = True
        for step in NEIGHBOURS:
            beside = at[0] + step[0], at[1] + step[1], at[2] + step[2]
            inside = all(0 <= i < n for i, n in zip(beside, allowed.shape, strict=True))
            if inside and passable[beside] and not seen[beside]:
                seen[beside] = True
                heapq.heappush(front, (float(cost[beside]), beside))

    if missing > 0:
        raise VolumeError(f"{voxels} voxels were asked for, {voxels - missing} are within reach")
    return region


def soft(mask: Mask, spacing: NDArray[np.float64], width_mm: Field | float) -> Field:
    """Return a weight (D, H, W) in [0, 1]: at least a half inside a mask, below outside.

    It changes linearly with the distance to the border over `width_mm`, half of it on either side.
    """
    # distances are between centres; the border lies half a voxel before the nearest one beyond
    half = float(np.min(spacing)) / 2
    inside = ndimage.distance_transform_edt(mask, spacing) - half
    outside = ndimage.distance_transform_edt(~mask, spacing) - half
    signed = np.where(mask, inside, -outside)
    return np.clip(0.5 + signed / width_mm, 0, 1).astype(np.float32)


def smooth_noise(
    shape: tuple[int, ...], sigma_mm: float, spacing: NDArray[np.float64], rng: np.random.Generator
) -> Field:
    """Return Gaussian noise of unit variance that is smooth over about `sigma_mm`."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma_mm / spacing, mode="nearest")
    return (noise / max(float(noise.std()), 1e-12)).astype(np.float32)
