"""Distances between two sets of points: pure functions on tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuromf.metrics.points import check_points, check_tensor


def sliced_wasserstein(a: Tensor, b: Tensor, projections: int, generator: torch.Generator) -> float:
    """Return the sliced 2-Wasserstein distance of sets a (N, ...) and b (M, ...), in units
    of a coordinate.

    It is the root mean square of the one-dimensional distances along random unit directions
    (Bonneel et al. 2015, doi 10.1007/s10851-014-0506-3). A shift of all coordinates by s gives s on
    average, in any dimension. Raises ValueError for sets that are empty, of points of different
    shape, or not of floating-point numbers.
    """
    for points in (a, b):
        check_tensor("a sliced Wasserstein distance", points)
    if projections < 1:
        raise ValueError(f"projections is {projections}: 1 or more")
    if len(a) == 0 or len(b) == 0 or a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"sets of shapes {tuple(a.shape)} and {tuple(b.shape)}: "
            "points of one shape are needed in both"
        )
    return float(wasserstein_squared(*project([a, b], projections, generator)).mean().sqrt())


def project(sets: Sequence[Tensor], projections: int, generator: torch.Generator) -> list[Tensor]:
    """Return each set (N, ...) along the same random unit directions, (N, projections) float32."""
    flat = [points.flatten(1).float() for points in sets]
    parts: list[list[Tensor]] = [[] for _ in flat]
    for start in range(0, projections, 128):  # directions are not kept
        directions = torch.randn(
            min(128, projections - start), flat[0].shape[1], generator=generator
        )
        directions = directions / directions.norm(dim=1, keepdim=True)
        for points, part in zip(flat, parts, strict=True):
            part.append(points @ directions.to(points.device).T)
    return [torch.cat(part, 1) for part in parts]


def wasserstein_squared(a: Tensor, b: Tensor) -> Tensor:
    """Return (K,): the squared 2-Wasserstein distance of each column of a (N, K) and b (M, K),
    exact also if N and M differ. Raises ValueError for anything else.
    """
    check_points("a Wasserstein distance", a, b)
    a, b = a.sort(0).values, b.sort(0).values
    n, m = len(a), len(b)
    if n == m:
        return (a - b).square().mean(0)
    edges = torch.cat(
        [torch.arange(1, n + 1) * m, torch.arange(1, m + 1) * n]
    ).unique()  # of the quantiles, in 1 / nm
    widths = torch.diff(edges, prepend=torch.zeros(1, dtype=edges.dtype)).to(a) / (n * m)
    last = edges - 1
    gap = a[(last // m).to(a.device)] - b[(last // n).to(b.device)]

    return (gap.square() * widths.to(a.device)[:, None]).sum(0)
