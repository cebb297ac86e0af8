"""Uncertainty of a metric: bootstrap over whole volumes, Wilson's interval of a share,
differences of two sets.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from scipy import stats
from torch import Tensor

LEVEL = 0.95
Z = float(stats.norm.ppf(0.5 + LEVEL / 2))


class Interval(NamedTuple):
    """A 95 % confidence interval."""

    low: float
    high: float


def counts(n: int, draws: int, generator: torch.Generator) -> Tensor:
    """Return (draws, n): how often each of n volumes occurs in each of `draws`
    bootstrap samples of n.

    Raises ValueError for n or draws below 1.
    """
    if n < 1 or draws < 1:
        raise ValueError(f"a bootstrap of {n} volumes, {draws} times: 1 or more of both")
    chosen = torch.randint(n, (draws, n), generator=generator)
    return torch.zeros(draws, n, dtype=torch.float64).scatter_add_(
        1, chosen, torch.ones(draws, n, dtype=torch.float64)
    )


def around(
    value: float, replicates: Tensor, lowest: float = -math.inf, highest: float = math.inf
) -> Interval:
    """Return value ± 1.96 standard deviations of its bootstrap replicates (B,), cut
    off at `lowest` and `highest`.

    For a distance that grows when points repeat, as the Fréchet distance does, the replicates are
    biased upwards, but their spread is right. Replicates that are not finite, from samples that
    repeat a single volume, are ignored.
    """
    reach = Z * spread(replicates)
    return Interval(max(value - reach, lowest), min(value + reach, highest))


def spread(replicates: Tensor) -> float:
    """Return the standard deviation of the finite bootstrap replicates."""
    return float(replicates[torch.isfinite(replicates)].double().std())


def of_mean(values: Tensor) -> Interval:
    """Return the interval of a mean over values (N,), by Student's t."""
    n = len(values)
    if n < 2:
        return Interval(-math.inf, math.inf)
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) * float(values.double().std()) / math.sqrt(n)
    return Interval(float(values.double().mean()) - reach, float(values.double().mean()) + reach)


def of_share(hits: int, n: int) -> Interval:
    """Return Wilson's interval of the share hits / n, which is not empty if none or all are
    hit (Wilson 1927).

    Raises ValueError if n is 0 or hits exceed n.
    """
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} of {n} is no share: 0 to n of 1 or more")
    p = hits / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    reach = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return Interval(0.0 if hits == 0 else middle - reach, 1.0 if hits == n else middle + reach)


def p_of_difference(
    a: float, b: float, replicates_a: Tensor, replicates_b: Tensor, volumes: int
) -> float:
    """Return the two-sided p value of the hypothesis that two values are equal, from bootstrap
    replicates (B,) of both.

    Replicate i of both uses the same resampled reference, so the reference's contribution to both
    cancels. The difference divided by its standard deviation is compared with Student's t, with one
    degree of freedom less than the smallest set has `volumes`: few volumes prove little, however
    large the ratio.
    """
    apart = spread(replicates_a - replicates_b)
    if apart == 0:
        return 1.0 if a == b else 0.0
    return float(2 * stats.t.sf(abs(a - b) / apart, max(volumes - 1, 1)))


def holm(p: list[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979), in the given order."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, p[i] * (len(p) - rank)))
        corrected[i] = largest
    return corrected
