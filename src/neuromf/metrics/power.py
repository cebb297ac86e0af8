"""What few values can tell at all: the smallest effect that a test detects, and the smallest p
that a permutation test can have.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy import optimize, stats

from neuromf.metrics.effects import noncentral_t

ALPHA = 0.05
POWER = 0.8  # the usual aim (Cohen 1988)
LARGEST = 100.0  # standard deviations; beyond, nothing is detected


def power(effect: float, n: int, other: int, alpha: float = ALPHA) -> float:
    """Return how often a two-sided t test of two arms of n and `other` values finds a difference
    of `effect` standard deviations.
    """
    return _power(effect / math.sqrt(1 / n + 1 / other), n + other - 2, alpha)


def power_of_pairs(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Return how often a two-sided t test of n paired differences finds a mean difference of
    `effect` of their standard deviations.
    """
    return _power(effect * math.sqrt(n), n - 1, alpha)


def detectable(n: int, other: int) -> float:
    """Return the smallest difference, in standard deviations, that a t test of two arms of n and
    `other` values finds with a power of 0.8; infinite where one has fewer than two.
    """
    if min(n, other) < 2:
        return math.inf
    return _smallest(lambda effect: power(effect, n, other))


def detectable_by_pairs(n: int) -> float:
    """Return the smallest mean of paired differences, in their standard deviations, that a t test
    of n pairs finds with a power of 0.8; infinite for fewer than two.
    """
    return math.inf if n < 2 else _smallest(lambda effect: power_of_pairs(effect, n))


def smallest_p(n: int, other: int) -> float:
    """Return the smallest two-sided p of a permutation test of two arms of n and `other` values:
    2 divided by the number of ways to choose n of all values.
    """
    return min(1.0, 2 / math.comb(n + other, n))


def smallest_p_of_pairs(n: int) -> float:
    """Return the smallest two-sided p of a permutation test of n pairs: 2 of 2ⁿ sign patterns."""
    return min(1.0, 2 / 2**n)


def _power(noncentrality: float, df: int, alpha: float) -> float:
    critical = float(stats.t.ppf(1 - alpha / 2, df))
    below = noncentral_t(-critical, df, noncentrality)
    return 1.0 - (noncentral_t(critical, df, noncentrality) - below)


def _smallest(found: Callable[[float], float]) -> float:
    if found(LARGEST) < POWER:
        return math.inf
    return float(optimize.brentq(lambda effect: found(effect) - POWER, 0.0, LARGEST, xtol=1e-8))
