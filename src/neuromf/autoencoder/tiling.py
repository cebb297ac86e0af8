"""Decoding in tiles, with limited peak memory and blended seams (MONAI's sliding window with
our own weights).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

SHARED = 12  # latent voxels in the overlap of neighbouring tiles, at most half a tile
SMALLEST = 16  # latent voxels per side of a tile
# Weight of the voxels at a tile's border, beyond which the network sees zeros: they matter only at
# the border of the volume itself.
FAINT = 1e-10


def decode_in_tiles(
    decode: Callable[[Tensor], Tensor],
    z: Tensor,
    factor: int,
    bytes_each: float,
    max_memory_gb: float | None,
) -> Tensor:
    """Return decode(z) for latents (B, C, D, H, W), one tile at a time if the whole needs more than
    `max_memory_gb`.

    `bytes_each` is the memory that decoding needs per voxel of a latent. In the overlap of two
    tiles, each outer third belongs to one tile alone and the middle third blends linearly.
    (MONAI's Gaussian weights give the borders of tiles, where convolutions see zeros, as much
    weight as their inside in the corners of a volume.) Raises ValueError if even the smallest
    tile needs more.
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
    """Return the weights (D, H, W) of a tile's voxels: 1 inside, decreasing in the part
    that tiles share.

    In the outer third they decrease exponentially: of two tiles that both end near a voxel, the one
    whose border is farther away decides.
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
    """Return the sides of tiles whose decoding stays within the memory limit: the whole
    size if that does.

    Tiles are no larger than needed: as many per axis as the largest possible ones would
    make, evenly placed.
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
    """Return the side of the fewest tiles of at most `side` that cover n
    voxels, overlap included.
    """
    if n <= side:
        return n
    shared = min(SHARED, side // 2)
    count = math.ceil((n - shared) / (side - shared))
    return max(math.ceil((n + (count - 1) * shared) / count), SMALLEST)
