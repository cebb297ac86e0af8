"""The shape of a simulated lesion, and what drawing one takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuromf.data.foreground import Mask
from neuromf.phantoms.anatomy import Anatomy
from neuromf.phantoms.growth import Field, Seed


class Shape(NamedTuple):
    """Where a lesion is, and how much of its contrast each voxel gets; all (D, H, W)."""

    mask: Mask  # where the weight is at least a half
    weight: Field  # share of the way from healthy tissue to the lesion, [0, 1]
    strength: Field  # factor of the contrast, 1 is full
    drawn: dict[str, Any]  # the parameters that were drawn


def log_uniform(limits: tuple[float, float], rng: np.random.Generator) -> float:
    """Return a number between two limits, uniform in its logarithm."""
    low, high = np.log(limits)
    return float(np.exp(rng.uniform(low, high)))


def pick(mask: Mask, odds: NDArray[np.float32], rng: np.random.Generator) -> Seed:
    """Return a voxel of a mask, drawn with odds (N,) in the order of its voxels."""
    total = np.cumsum(odds, dtype=np.float64)
    number = int(np.searchsorted(total, rng.uniform(0, total[-1]), side="right"))
    flat = np.flatnonzero(mask)[min(number, len(total) - 1)]
    a, b, c = (int(i) for i in np.unravel_index(flat, mask.shape))
    return a, b, c


def offsets_mm(anatomy: Anatomy, at: Seed) -> NDArray[np.float64]:
    """Return how far each voxel lies from a voxel, (3, D, H, W) mm along the grid's axes."""
    indices = np.indices(anatomy.labels.shape, dtype=np.float64)
    return (indices - np.reshape(at, (3, 1, 1, 1))) * anatomy.spacing.reshape(3, 1, 1, 1)
