"""Signed distances of masks, in millimetres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Field = NDArray[np.float32]


def signed_distance(mask: Mask, spacing: Sequence[float], clip: float) -> Field:
    """Return the distance (D, H, W) of each voxel's centre to the border of a mask, mm, positive
    inside, limited to ±`clip`.

    The border is made of the faces between voxels, so that of two neighbours on either side of it
    each is half a voxel away. A mask without a border, empty or full, is `clip` away everywhere.
    """
    far = np.full(mask.shape, -clip, np.float32)
    if not mask.any():
        return far
    if mask.all():
        return -far

    window = around(mask, spacing, clip)
    inside = mask[window]
    outward = distance_to(inside, spacing)
    inward = distance_to(~inside, spacing) if not inside.all() else np.full(inside.shape, clip)
    far[window] = np.clip(np.where(inside, inward, -outward), -clip, clip)
    return far


def around(mask: Mask, spacing: Sequence[float], reach: float) -> tuple[slice, ...]:
    """Return the part of a grid within `reach` mm of a mask: beyond it nothing has to be
    computed.
    """
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    # at least one voxel more, so that a border within the grid lies within the part
    margins = [int(np.ceil(reach / size)) + 1 for size in spacing]
    return tuple(
        slice(max(part.start - margin, 0), part.stop + margin)
        for part, margin in zip(found, margins, strict=True)
    )


def distance_to(mask: Mask, spacing: Sequence[float]) -> Field:
    """Return the distance (D, H, W) of each voxel's centre to the border of the nearest voxel of a
    mask, mm; 0 in the mask itself.

    A voxel counts as an ellipsoid that touches its six faces: the distance to its box would be
    too short in all directions but those of the axes.
    """
    nearest = ndimage.distance_transform_edt(
        ~mask, sampling=spacing, return_distances=False, return_indices=True
    )
    squared, weighted = np.zeros(mask.shape), np.zeros(mask.shape)
    for axis, size in enumerate(spacing):
        own = np.arange(mask.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)])
        apart = ((nearest[axis] - own) * size) ** 2
        squared += apart
        weighted += apart * size**2

    distance = np.sqrt(squared)
    half = 0.5 * np.sqrt(weighted) / np.maximum(distance, 1e-12)
    return (distance - half).astype(np.float32)
