"""Checks of sets of points: (N, D) of floating-point numbers, everything else is refused
with the reason.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def check_points(what: str, *sets: Tensor, fewest: int = 1) -> None:
    """Raise ValueError unless all sets are tensors (N, D) of floating-point numbers, of one D, with
    N at least `fewest`.

    `what` names the metric in the message. NaN is allowed: it makes most metrics NaN,
    which is right.
    """
    for points in sets:
        check_tensor(what, points)
        if points.ndim != 2:
            raise ValueError(
                f"{what} takes points (N, D), one a row: shape {tuple(points.shape)} came"
            )
        if len(points) < fewest:
            raise ValueError(
                f"{what} needs {fewest} points or more in each set: {len(points)} came"
            )

    if len({points.shape[1] for points in sets}) > 1:
        widths = " and ".join(str(points.shape[1]) for points in sets)
        raise ValueError(
            f"{what} takes points of one number of dimensions: "
            f"{widths} came; are they of one network?"
        )


def check_finite(what: str, *sets: Tensor) -> None:
    """Raise ValueError for NaN and Inf, for metrics that would not become NaN but wrong, or raise
    an error of torch.
    """
    # a sum is quicker to look at
    doubtful = [points for points in sets if not math.isfinite(float(points.sum()))]
    broken = sum(int((~torch.isfinite(points)).sum()) for points in doubtful)
    if broken:
        raise ValueError(f"{what} takes finite numbers: {broken} are NaN or Inf")


def check_tensor(what: str, values: Tensor) -> None:
    """Raise ValueError for anything but a tensor of floating-point numbers."""
    if not isinstance(values, Tensor):
        raise ValueError(
            f"{what} takes torch tensors: {type(values).__name__} came; torch.as_tensor makes one"
        )
    if not values.is_floating_point():
        raise ValueError(
            f"{what} takes floating-point numbers: {values.dtype} came; .float() makes them so"
        )
