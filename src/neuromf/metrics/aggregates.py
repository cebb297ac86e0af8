"""Robust aggregates over seeds, with rliable's definitions (Agarwal et al. 2021): interquartile
mean and probability of improvement, with bootstrap intervals stratified by arm.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy import stats
from torch import Tensor

from neuromf.metrics.effects import finite
from neuromf.metrics.intervals import LEVEL, Interval, counts

DRAWS = 2000  # bootstrap samples
# values from which on the percentile bootstrap's intervals cover the truth in 0.94 of studies; with
# five it is 0.90, with three 0.76 (normal values, 1000 simulated studies)
ENOUGH = 10


def interquartile_mean(values: Sequence[float]) -> float:
    """Return the mean of values without the lowest and the highest quarter, each rounded down: of
    fewer than four, their mean. Raises ValueError for none, or where one is not finite.
    """
    if not len(values):
        raise ValueError("the interquartile mean of no values: one or more are needed")
    return float(stats.trim_mean(finite(values), 0.25))


def probability_of_improvement(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the share of pairs of a value of `a` and a value of `b` in which that of `a` is
    larger; equal ones count half. Mann and Whitney's U over the number of pairs.

    Raises ValueError where one has no values, or values that are not finite.
    """
    if not len(a) or not len(b):
        raise ValueError(f"{len(a)} and {len(b)} values: one or more of both are needed")
    x, y = torch.from_numpy(finite(a)), torch.from_numpy(finite(b))
    return float(_larger(x, y).mean())


def interval_of_iqm(
    values: Sequence[float], generator: torch.Generator, draws: int = DRAWS
) -> Interval:
    """Return the percentile bootstrap's interval of the interquartile mean."""
    x = torch.from_numpy(finite(values))
    chosen = _drawn(x, draws, generator)
    return _percentiles(torch.from_numpy(stats.trim_mean(chosen.numpy(), 0.25, axis=1)))


def interval_of_improvement(
    a: Sequence[float], b: Sequence[float], generator: torch.Generator, draws: int = DRAWS
) -> Interval:
    """Return the percentile bootstrap's interval of the probability of improvement; each arm is
    resampled by itself.
    """
    x, y = torch.from_numpy(finite(a)), torch.from_numpy(finite(b))
    of_x, of_y = (counts(len(v), draws, generator) / len(v) for v in (x, y))
    return _percentiles(torch.einsum("bi,ij,bj->b", of_x, _larger(x, y), of_y))


def _larger(x: Tensor, y: Tensor) -> Tensor:
    """Return (N, M): 1 where x is larger than y, one half where they are equal."""
    apart = x.unsqueeze(1) - y.unsqueeze(0)
    return (apart > 0).double() + 0.5 * (apart == 0).double()


def _drawn(x: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Return bootstrap samples (draws, N) of values (N,)."""
    times = counts(len(x), draws, generator).long()
    return x.repeat(draws).repeat_interleave(times.flatten()).view(draws, len(x))


def _percentiles(replicates: Tensor) -> Interval:
    tail = (1 - LEVEL) / 2
    ends = torch.quantile(replicates.double(), torch.tensor([tail, 1 - tail], dtype=torch.float64))
    return Interval(float(ends[0]), float(ends[1]))
