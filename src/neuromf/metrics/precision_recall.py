"""Fidelity and coverage by nearest neighbours: precision, recall, density, coverage, distances
to the nearest.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neuromf.metrics.points import check_finite, check_points

CHUNK = 512  # rows of a distance matrix at once


class Manifold(NamedTuple):
    """For each sample or real point, whether or how densely the other set covers it; the
    metrics are the means.
    """

    precision: Tensor  # (N,) samples inside the real manifold, 0 or 1 (arXiv 1904.06991)
    recall: Tensor  # (M,) real points inside the samples' manifold, 0 or 1
    density: Tensor  # (N,) real balls around a sample, over k (arXiv 2002.09797)
    coverage: Tensor  # (M,) real points with a sample in their ball, 0 or 1


def manifold(samples: Tensor, real: Tensor, k: int = 5) -> Manifold:
    """Return precision, recall, density and coverage of each point, for features samples (N, D)
    and real (M, D).

    Raises ValueError if a set has at most k points, so that there is no k-th neighbour.
    """
    check_points("precision and recall", samples, real)
    check_finite("precision and recall", samples, real)
    if k < 1:
        raise ValueError(f"k is {k}: 1 or more, the number of the neighbour")
    if min(len(samples), len(real)) <= k:
        raise ValueError(
            f"the {k}-th neighbour needs more than {k} points in each "
            f"set: {len(samples)} and {len(real)} came"
        )

    samples, real = samples.double(), real.double()
    apart = torch.cdist(samples, real)
    real_radius, sample_radius = kth_distance(real, k), kth_distance(samples, k)
    inside = apart <= real_radius
    return Manifold(
        inside.any(1).double(),
        (apart <= sample_radius[:, None]).any(0).double(),
        inside.double().sum(1) / k,
        (apart.min(0).values <= real_radius).double(),
    )


def kth_distance(points: Tensor, k: int) -> Tensor:
    """Return the distance (N,) of each point to its k-th neighbour among the others."""
    parts = [torch.cdist(part, points).kthvalue(k + 1).values for part in points.split(CHUNK)]
    return torch.cat(parts)


def nearest(
    points: Tensor, others: Tensor, leave_out: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the distance (N,) and index (N,) of the nearest of `others` (M, D) to each of
    `points` (N, D).

    `leave_out` (N, M), bool, marks pairs that do not count, such as a scan and itself. If nothing
    is left, the distance is infinite and the index meaningless. Raises ValueError if there are no
    others, or they have another dimension.
    """
    check_points("a nearest neighbour", points, others)
    check_finite("a nearest neighbour", points, others)
    if leave_out is not None and leave_out.shape != (len(points), len(others)):
        raise ValueError(
            f"leave_out has shape {tuple(leave_out.shape)}: ({len(points)}, {len(others)}) is "
            "needed, points by others"
        )

    distances, indices = [], []
    others = others.double()

    for start in range(0, len(points), CHUNK):
        apart = torch.cdist(points[start : start + CHUNK].double(), others)
        if leave_out is not None:
            apart = apart.masked_fill(leave_out[start : start + CHUNK], torch.inf)
        found = apart.min(1)
        distances.append(found.values)
        indices.append(found.indices)

    return torch.cat(distances), torch.cat(indices)
