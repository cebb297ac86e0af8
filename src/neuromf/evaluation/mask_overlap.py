"""How alike two binary masks are: overlap, distance of borders, volume, pieces found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.metrics.masks import border_distance95, border_of

Mask = NDArray[np.bool_]

TOUCHING = np.ones((3, 3, 3), bool)  # voxels that share a corner belong to one piece


def dice(found: Mask, true: Mask) -> float:
    """Return the Dice coefficient of two masks (D, H, W): 1 for equal ones, also if both are
    empty.
    """
    sizes = int(found.sum()) + int(true.sum())
    return 2 * int((found & true).sum()) / sizes if sizes else 1.0


def hausdorff95(found: Mask, true: Mask, spacing: Sequence[float]) -> float:
    """Return the 95th percentile of the distances between the borders of two masks (D, H, W), mm,
    the larger one of both directions; infinite if one of them is empty, 0 if both are.
    """
    a, b = (border_of(np.argwhere(mask)) for mask in (found, true))
    return border_distance95(a, b, spacing)


def volume_error(found: Mask, true: Mask) -> float:
    """Return the difference of volumes in percent of the true one, which is not 0."""
    return 100 * (int(found.sum()) / int(true.sum()) - 1)


def pieces(found: Mask, true: Mask) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return of every connected piece of the true mask its number of voxels, and which share of
    them was found.
    """
    labels, count = ndimage.label(true, TOUCHING)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    hit = np.bincount(labels[found], minlength=count + 1)[1:]
    return sizes, hit / np.maximum(sizes, 1)


def invented(found: Mask, true: Mask) -> int:
    """Return how many connected pieces of `found` touch nothing of the true mask."""
    labels, count = ndimage.label(found, TOUCHING)
    return count - len(np.setdiff1d(np.unique(labels[true]), [0]))
