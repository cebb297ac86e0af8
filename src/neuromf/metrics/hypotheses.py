"""Tests of equal means without equal variances: two arms, two arms with the same seeds, several
arms. One value is one training; the arms' values are few.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from neuromf.metrics import studentized_range
from neuromf.metrics.effects import Values, constant, finite
from neuromf.metrics.intervals import LEVEL, Interval

FEWEST = 2  # values of an arm from which on it has a variance


class Untestable(ValueError):  # noqa: N818 - says what is so
    """Values of which no test can be made; the message says why."""


class Comparison(NamedTuple):
    """The difference of two means, first minus second."""

    difference: float
    interval: Interval  # simultaneous over all pairs, if the p is
    statistic: float  # t
    df: float
    p: float


class Anova(NamedTuple):
    """A test of several means being equal."""

    statistic: float  # F
    df_between: float
    df_within: float
    p: float


class Pair(NamedTuple):
    """The comparison of two of several arms, by their numbers."""

    a: int
    b: int
    comparison: Comparison


def welch(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Return Welch's t test of two arms, with its interval of the difference (Welch 1947).

    Raises Untestable for fewer than two values in an arm, or where neither arm varies; ValueError
    for values that are not finite.
    """
    x, y = _varying([a, b])
    found = stats.ttest_ind(x, y, equal_var=False)
    low, high = found.confidence_interval(LEVEL)
    return Comparison(
        float(x.mean() - y.mean()),
        Interval(float(low), float(high)),
        *(float(found.statistic), float(found.df), float(found.pvalue)),
    )


def paired(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Return Student's t test of the differences of two arms, whose values are in the same order
    of seeds, with the interval of their mean.

    Raises Untestable for fewer than two pairs, or where the differences do not vary; ValueError for
    values that are not finite, or unequal numbers of them.
    """
    x, y = finite(a), finite(b)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} values are no pairs: one of each seed in both")
    d = x - y
    if len(d) < FEWEST:
        raise Untestable(f"{_counted(len(d), 'pair')}: differences have a variance from 2 on")
    if constant(d) or np.ptp(d) <= 1e-13 * np.abs(np.concatenate([x, y])).max():
        raise Untestable("the paired differences are all equal: no test")

    found = stats.ttest_rel(x, y)
    low, high = found.confidence_interval(LEVEL)
    return Comparison(
        float(d.mean()),
        Interval(float(low), float(high)),
        *(float(found.statistic), float(found.df), float(found.pvalue)),
    )


def welch_anova(groups: Sequence[Sequence[float]]) -> Anova:
    """Return Welch's test of several arms having one mean (Welch 1951).

    Raises Untestable for fewer than two values in an arm, or where an arm does not vary, whose
    weight would be infinite; ValueError for values that are not finite.
    """
    arrays = _varying(groups, each=True)
    found = stats.f_oneway(*arrays, equal_var=False)

    # scipy returns no degrees of freedom
    k = len(arrays)
    weights = np.array([len(x) / x.var(ddof=1) for x in arrays])
    rests = (1 - weights / weights.sum()) ** 2 / np.array([len(x) - 1 for x in arrays])
    within = (k**2 - 1) / (3 * rests.sum())
    return Anova(float(found.statistic), float(k - 1), float(within), float(found.pvalue))


def games_howell(groups: Sequence[Sequence[float]]) -> list[Pair]:
    """Return all pairwise comparisons of several arms (Games and Howell 1976); p values and
    intervals hold for all pairs at once.

    Raises Untestable and ValueError as `welch_anova`.
    """
    arrays = _varying(groups, each=True)
    k = len(arrays)
    return [
        Pair(i, j, _of_range(arrays[i], arrays[j], k))
        for i, j in itertools.combinations(range(k), 2)
    ]


def _of_range(x: Values, y: Values, k: int) -> Comparison:
    """Return the comparison of two of k arms by the studentised range, with Welch's degrees of
    freedom. As scipy's `tukey_hsd(equal_var=False)`, whose intervals take seconds each.
    """
    of_x, of_y = (float(v.var(ddof=1)) / len(v) for v in (x, y))
    error = math.sqrt(of_x + of_y)
    df = error**4 / (of_x**2 / (len(x) - 1) + of_y**2 / (len(y) - 1))

    difference = float(x.mean() - y.mean())
    t = difference / error
    reach = studentized_range.ppf(LEVEL, k, df) * error / math.sqrt(2)
    p = studentized_range.sf(math.sqrt(2) * abs(t), k, df)
    return Comparison(difference, Interval(difference - reach, difference + reach), t, df, p)


def _varying(groups: Sequence[Sequence[float]], *, each: bool = False) -> list[Values]:
    """Return arms as arrays. Raises Untestable where they are too small, or none of them (with
    `each`, not all of them) varies.
    """
    arrays = [finite(values) for values in groups]
    if len(arrays) < 2:
        raise Untestable(f"{_counted(len(arrays), 'arm')}: nothing to compare")
    fewest = min(len(x) for x in arrays)
    if fewest < FEWEST:
        raise Untestable(
            f"an arm has {_counted(fewest, 'seed')}: how seeds differ is known from 2 on"
        )

    still = [constant(x) for x in arrays]
    if any(still) if each else all(still):
        raise Untestable("all seeds of an arm have one value: no test")
    return arrays


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
