"""Maximum mean discrepancy of two sets of features, unbiased: KID and RBF (Gretton 2012,
Bińkowski 2018).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neuromf.metrics.points import check_points

MEDIAN_OF = 1000  # points of each set that the median distance is taken from


class Kernels(NamedTuple):
    """Kernel matrices of sets a (N) and b (M), from which every resampled distance is computed."""

    aa: Tensor
    bb: Tensor
    ab: Tensor


def polynomial_kernels(a: Tensor, b: Tensor) -> Kernels:
    """Return the kernels (x·y / D + 1)³ of KID (arXiv 1801.01401) for features a (N, D), b (M, D).

    Raises ValueError for anything but two sets of points.
    """
    check_points("KID", a, b)
    a, b = a.double(), b.double()
    aa, bb, ab = a @ a.T, b @ b.T, a @ b.T
    return Kernels(*((k / a.shape[1] + 1) ** 3 for k in (aa, bb, ab)))


def rbf_kernels(a: Tensor, b: Tensor, bandwidth: float) -> Kernels:
    """Return the kernels exp(-|x - y|² / (2 bandwidth²)) for features a (N, D), b (M, D).

    Raises ValueError for anything but two sets of points and a bandwidth above 0.
    """
    check_points("MMD", a, b)
    if not bandwidth > 0:
        raise ValueError(
            "the bandwidth of an RBF kernel is above 0: "
            f"{bandwidth} came; median_distance gives one"
        )

    a, b = a.double(), b.double()
    return Kernels(
        *(
            torch.exp(torch.cdist(x, y).square() / (-2 * bandwidth**2))
            for x, y in ((a, a), (b, b), (a, b))
        )
    )


def median_distance(points: Tensor) -> float:
    """Return the median distance between different points (N, D): the usual bandwidth
    of an RBF kernel.

    Raises ValueError for fewer than two points.
    """
    check_points("a median distance", points, fewest=2)
    points = points[:MEDIAN_OF].double()
    return float(torch.pdist(points).median())


def mmd_squared(
    k: Kernels, weights_a: Tensor | None = None, weights_b: Tensor | None = None
) -> Tensor:
    """Return the unbiased squared MMD, which may be below 0 for similar sets.

    Counts (..., N) and (..., M) give those of resampled sets, in which a point and its copies are
    never compared. Raises ValueError for fewer than two points in a set.
    """
    n, m = k.ab.shape
    if n < 2 or m < 2:
        raise ValueError(f"an unbiased MMD needs two points or more in each set: {n} and {m} came")
    wa = torch.ones(n, dtype=k.aa.dtype) if weights_a is None else weights_a.to(k.aa.dtype)
    wb = torch.ones(m, dtype=k.bb.dtype) if weights_b is None else weights_b.to(k.bb.dtype)
    cross = ((wa @ k.ab) * wb).sum(-1) / (wa.sum(-1) * wb.sum(-1))
    return _pairs(k.aa, wa) + _pairs(k.bb, wb) - 2 * cross


def kid(a: Tensor, b: Tensor) -> float:
    """Return the kernel inception distance of features a (N, D) and b (M, D), over all
    pairs, unbiased.
    """
    return float(mmd_squared(polynomial_kernels(a, b)))


def mmd(a: Tensor, b: Tensor, bandwidth: float) -> float:
    """Return the squared MMD of features a (N, D) and b (M, D) with an RBF kernel, unbiased."""
    return float(mmd_squared(rbf_kernels(a, b, bandwidth)))


def _pairs(kernel: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of a kernel over pairs of different points."""
    same = (weights.square() * kernel.diagonal()).sum(-1)
    total = ((weights @ kernel) * weights).sum(-1) - same
    # NaN if there is only one point
    return total / (weights.sum(-1).square() - weights.square().sum(-1))
