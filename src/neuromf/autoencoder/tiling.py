"""Decoding in tiles: peak memory bounded, seams blended (MONAI's sliding window with
weights of our own).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SHARED = 12  # latent voxels that neighbouring tiles share, at most half a tile
SMALLEST = 16  # latent voxels per side of a tile
# Weight of the voxels at a tile's border, where the network sees zeros beyond: they count at the
# volume's own border alone.
FAINT = 1e-10


def decode_in_tiles(
    decode: Callable[[Tensor], Tensor],
    z: Tensor,
    factor: int,
    bytes_each: float,
    max_memory_gb: float | None,
) -> Tensor:
    """Return decode(z) for latents (B, C, D, H, W), one tile at a time where the
    whole needs more than the bound.

    `bytes_each` is what decoding needs per voxel of a latent. Of the shared part of two tiles,
    the outer thirds count for one tile alone and the middle goes over linearly (MONAI's Gaussian
    gives the borders of tiles, where convolutions see zeros, the same weight as their inside in the
    corners of a volume). Raises ValueError where even the smallest tile is above the bound.
    """
    size = tile_size(z.shape[2:], factor, bytes_each, max_memory_gb)
    if size == tuple(z.shape[2:]):
        return decode(z)
    from monai.inferers.utils import sliding_window_inference

    overlap = [min(0.5, SHARED / n) for n in size]
    weights = tile_weights(size, overlap).to(z.device)
    volume = sliding_window_inference(
        z, size, 1, decode, overlap=overlap, roi_weight_map=scaled(weights, factor)
    )
    assert isinstance(volume, Tensor)
    return volume


def tile_weights(size: Sequence[int], overlap: Sequence[float]) -> Tensor:
    """Return the weights (D, H, W) of a tile's voxels: 1 inside, falling
    in the part that tiles share.

    In its outer third they fall exponentially: of two tiles that both end near a
    voxel the farther one decides.
    """
    weights = torch.ones(tuple(size))
    for axis, (n, share) in enumerate(zip(size, overlap, strict=True)):
        third = n * share / 3
        distance = torch.minimum(torch.arange(n) + 0.5, n - torch.arange(n) - 0.5)
        along = torch.where(
            distance > third,
            ((distance - third) / third).clamp(1e-2, 1),
            1e-2 * (FAINT / 1e-2) ** (1 - distance / third),
        )
        weights = weights * along.view([-1 if a == axis else 1 for a in range(3)])
    return weights


def scaled(weights: Tensor, factor: int) -> Tensor:
    """Return weights of latent voxels as weights of the volume's voxels."""
    for axis in range(3):
        weights = weights.repeat_interleave(factor, axis)
    return weights


def tile_size(
    size: Sequence[int], factor: int, bytes_each: float, max_memory_gb: float | None
) -> tuple[int, ...]:
    """Return the sides of tiles whose decoding stays below the bound: the whole size where it does.

    No larger than needed: with as many tiles an axis as the largest possible
    ones would make, evenly laid.
    """
    size = tuple(size)
    if max_memory_gb is None:
        return size
    bound = max_memory_gb * 2**30
    voxels = math.prod(size)
    if voxels * bytes_each <= bound:
        return size
    kept = 3 * 4 * factor**3 * voxels  # the volume, its weights and a copy, float32
    side = int((max(bound - kept, 0) / bytes_each) ** (1 / 3))
    if side < SMALLEST:
        needed = (kept + SMALLEST**3 * bytes_each) / 2**30
        raise ValueError(
            f"decoding latents of {size} within {max_memory_gb:g} GB: "
            f"{needed:.1f} GB are needed in the smallest tiles"
        )
    return tuple(_even(n, side) for n in size)


def _even(n: int, side: int) -> int:
    """Return the side of the fewest tiles of at most `side` that cover n, sharing their overlap."""
    if n <= side:
        return n
    shared = min(SHARED, side // 2)
    count = math.ceil((n - shared) / (side - shared))
    return max(math.ceil((n + (count - 1) * shared) / count), SMALLEST)
