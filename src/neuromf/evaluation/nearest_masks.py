"""The most similar of other lesion masks: Dice coefficient and distance of borders, as masks lie in
the brain, or aligned on their centres of gravity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuromf.features.lesion import MeasuredLesion
from neuromf.metrics.masks import border_distance95, dice_of_all

Values = NDArray[np.float64]
Lesions = Sequence[MeasuredLesion]


class NearestMasks(NamedTuple):
    """Of each of N masks the other mask with the largest Dice coefficient; NaN and -1 for an empty
    mask, and where there is no other.
    """

    dice: Values  # (N,)
    hausdorff95: Values  # (N,), mm
    number: NDArray[np.int64]  # (N,)


def nearest_masks(
    a: Lesions, b: Lesions, aligned: bool = False, excluded: NDArray[np.bool_] | None = None
) -> NearestMasks:
    """Return the most similar mask of b for each mask of a, by Dice; of those that overlap none,
    the one whose centre of gravity is nearest. `excluded` (N, M) pairs are not looked at.
    """
    dice = dice_between(a, b, aligned)
    dice[[m.empty for m in a]] = np.nan
    dice[:, [m.empty for m in b]] = np.nan
    if excluded is not None:
        dice[excluded] = np.nan

    n = len(a)
    found = NearestMasks(np.full(n, np.nan), np.full(n, np.nan), np.full(n, -1))
    centres = [m.points.mean(0) * m.spacing if not m.empty else np.zeros(3) for m in b]
    for i in np.flatnonzero(np.isfinite(dice).any(axis=1)).tolist():
        j = int(np.nanargmax(dice[i]))
        if dice[i, j] == 0:
            away = np.linalg.norm(centres - a[i].points.mean(0) * a[i].spacing, axis=1)
            j = int(np.nanargmin(np.where(np.isfinite(dice[i]), away, np.nan)))

        one, other = (m.aligned_border if aligned else m.border for m in (a[i], b[j]))
        found.dice[i], found.number[i] = dice[i, j], j
        found.hausdorff95[i] = border_distance95(one, other, a[i].spacing)
    return found


def dice_between(a: Lesions, b: Lesions, aligned: bool = False) -> Values:
    """Return the Dice coefficient (N, M) of each of N lesions with each of M others."""
    one, other = ([m.aligned if aligned else m.points for m in masks] for masks in (a, b))
    return dice_of_all(one, other)
