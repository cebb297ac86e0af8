"""The Pareto front of points under several measures."""

from __future__ import annotations

import math
from collections.abc import Sequence


def pareto_front(points: Sequence[Sequence[float]], lower: Sequence[bool]) -> list[int]:
    """Return the numbers of the points, in the given order, that no other point is at least as
    good as in every measure and better in one; `lower` says for each measure whether smaller is
    better. Equal points are all on the front or all off it.

    Raises ValueError where a point has another number of measures than `lower`, or NaN.
    """
    costs = []
    for point in points:
        if len(point) != len(lower) or any(math.isnan(v) for v in point):
            raise ValueError(f"point {list(point)}: {len(lower)} numbers are needed, no NaN")
        costs.append([v if low else -v for v, low in zip(point, lower, strict=True)])
    return [i for i, own in enumerate(costs) if not any(_dominates(c, own) for c in costs)]


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Return True if costs are nowhere higher and somewhere lower than others."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)
