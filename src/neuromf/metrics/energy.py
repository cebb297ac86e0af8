"""The energy distance of two sets of points: one figure that is 0 for equal distributions only,
without features, projections or a bandwidth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuromf.metrics.points import check_finite, check_points


def energy_coefficient(a: Tensor, b: Tensor) -> float:
    """Return the energy coefficient H = (2 E d(x, y) - E d(x, x') - E d(y, y')) / (2 E d(x, y)) of
    points a (N, D) and b (M, D), d their distance, in [0, 1]: 0 for equal distributions, 1 for two
    different single points (Székely and Rizzo 2013, doi 10.1016/j.jspi.2013.03.018).

    Means are over all pairs of points, each with itself included, so that H is never below 0; two
    samples of one distribution differ by about (1/N + 1/M) / 2. Raises ValueError for anything but
    two sets of finite points.
    """
    check_points("an energy distance", a, b)
    check_finite("an energy distance", a, b)

    across = _mean_distance(a, b)
    if across == 0:
        return 0.0
    within = _mean_distance(a, a) + _mean_distance(b, b)
    return max(0.0, 1 - within / (2 * across))


def _mean_distance(a: Tensor, b: Tensor) -> float:
    """Return the mean distance between the points of two sets. Its inner products are float64:
    in float32 they would lose the distances of near points.
    """
    return float(torch.cdist(a.double(), b.double()).mean())
