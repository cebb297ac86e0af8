"""Binary masks as sets of voxels: overlap of all pairs of two lists of masks at once, alignment on
the centre of gravity, distance of borders.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial import cKDTree

Points = NDArray[np.int64]  # indices (V, 3) of the voxels of a mask


def dice_of_all(a: Sequence[Points], b: Sequence[Points]) -> NDArray[np.float64]:
    """Return the Dice coefficient (N, M) of each of N masks with each of M others; 0 where one of
    the two is empty, or both are.
    """
    some = [points for points in (*a, *b) if len(points)]
    if not some:
        return np.zeros((len(a), len(b)))

    low = np.min([points.min(0) for points in some], axis=0)
    shape = np.max([points.max(0) for points in some], axis=0) - low + 1
    one, other = (_rows(masks, low, shape) for masks in (a, b))
    shared = (one @ other.T).toarray().astype(np.float64)
    sizes = np.array([len(p) for p in a])[:, None] + np.array([len(p) for p in b])[None]
    return 2 * shared / np.maximum(sizes, 1)


def _rows(masks: Sequence[Points], low: Points, shape: Points) -> sparse.csr_array:
    """Return a matrix with a row for each mask and a column for each voxel of a box."""
    columns = [np.ravel_multi_index(tuple((points - low).T), tuple(shape)) for points in masks]
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.concatenate(columns) if columns else np.zeros(0, np.int64)
    # 32 bits: counts of shared voxels, which 8 bits would not hold
    ones = np.ones(len(flat), np.int32)
    return sparse.csr_array((ones, flat, ends), shape=(len(masks), math.prod(shape.tolist())))


def aligned(points: Points) -> Points:
    """Return a mask moved by whole voxels, so that its centre of gravity lies within half a voxel
    of the origin along each axis.
    """
    n = len(points)
    # in integers: a mask that was moved by whole voxels is rounded to the same side
    return points - (2 * points.sum(0) + n) // (2 * n) if n else points


def border_of(points: Points) -> Points:
    """Return the voxels of a mask that have a face in common with the outside."""
    if not len(points):
        return points

    low = points.min(0) - 1
    box = np.zeros(points.max(0) - low + 2, bool)
    x, y, z = (points - low).T
    box[x, y, z] = True
    steps = [step * direction for step in np.eye(3, dtype=np.int64) for direction in (-1, 1)]
    inner = np.all([box[x + i, y + j, z + k] for i, j, k in steps], axis=0)
    return points[~inner]


def border_distance95(a: Points, b: Points, spacing: Sequence[float]) -> float:
    """Return the 95th percentile of the distances between two borders, mm, the larger one of both
    directions; infinite if one of them is empty, 0 if both are.
    """
    if not (len(a) and len(b)):
        return 0.0 if len(a) == len(b) else math.inf

    one, other = (points * np.asarray(spacing) for points in (a, b))
    there, back = cKDTree(other).query(one)[0], cKDTree(one).query(other)[0]
    return float(max(np.percentile(there, 95), np.percentile(back, 95)))
