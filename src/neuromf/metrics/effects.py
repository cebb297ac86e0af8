"""Standardised effect sizes with exact intervals, which stand beside every p value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from neuromf.metrics.intervals import LEVEL, Interval

Values = NDArray[np.float64]
FARTHEST = 1e4  # noncentrality beyond which an interval ends at infinity


class Effect(NamedTuple):
    """A difference in standard deviations."""

    value: float
    interval: Interval


UNKNOWN = Effect(math.nan, Interval(-math.inf, math.inf))


def hedges_g(a: Sequence[float], b: Sequence[float]) -> Effect:
    """Return (mean a - mean b) / pooled standard deviation, corrected for small samples (Hedges
    1981), with the interval of the noncentral t distribution (Cumming and Finch 2001).

    NaN where one of both has fewer than two values, or where no value varies. Raises ValueError
    for values that are not finite.
    """
    x, y = finite(a), finite(b)
    df = len(x) + len(y) - 2
    if min(len(x), len(y)) < 2:
        return UNKNOWN

    pooled = math.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / df)
    scale = math.sqrt(1 / len(x) + 1 / len(y))
    return _standardised(float(x.mean() - y.mean()), pooled, scale, df)


def paired_effect(differences: Sequence[float]) -> Effect:
    """Return the mean of paired differences over their standard deviation, d_z (Lakens 2013),
    corrected for small samples as Hedges' g is, with the interval of the noncentral t distribution.

    NaN for fewer than three pairs, where the correction is not defined, or where the differences
    do not vary. Raises ValueError for values that are not finite.
    """
    d = finite(differences)
    if len(d) < 3:
        return UNKNOWN
    return _standardised(float(d.mean()), float(d.std(ddof=1)), 1 / math.sqrt(len(d)), len(d) - 1)


def correction(df: float) -> float:
    """Return Hedges' factor J, by which a standardised difference of df degrees of freedom is too
    large on average.
    """
    return math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2)


def noncentrality(t: float, df: float) -> Interval:
    """Return the noncentralities for which a t as far out as this one has a probability of 2.5 %
    on either side.
    """
    tail = (1 - LEVEL) / 2
    return Interval(_noncentrality(t, df, 1 - tail), _noncentrality(t, df, tail))


def noncentral_t(t: float, df: float, noncentrality: float) -> float:
    """Return the probability of a noncentral t of up to `t`."""
    found = float(special.nctdtr(df, noncentrality, t))
    # scipy gives none far from the middle, where it is 0 or 1
    return found if math.isfinite(found) else float(t > noncentrality)


def finite(values: Sequence[float]) -> Values:
    """Return values as an array (N,). Raises ValueError where one is not finite."""
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"values are {list(values)}: finite numbers are needed")
    return found


def constant(values: Values) -> bool:
    """Return True if values (N,) do not vary beyond rounding."""
    return bool(np.ptp(values) <= 1e-13 * np.abs(values).max(initial=0.0))


def _standardised(difference: float, spread: float, scale: float, df: int) -> Effect:
    """Return difference / spread, corrected; `scale` times `spread` is its standard error."""
    if spread <= 1e-13 * abs(difference) or spread == 0:
        return UNKNOWN

    factor = correction(df)
    low, high = noncentrality(difference / (spread * scale), df)
    # the interval is that of the population's value, which the corrected estimate aims at
    return Effect(factor * difference / spread, Interval(low * scale, high * scale))


def _noncentrality(t: float, df: float, probability: float) -> float:
    """Return the noncentrality under which values up to t have a probability."""

    def miss(nc: float) -> float:
        return noncentral_t(t, df, nc) - probability

    # it decreases in the noncentrality; a normal approximation starts the bracket
    reach = 4 + abs(t)
    low, high = t - reach, t + reach
    while miss(low) < 0:
        low -= 2 * reach
        if low < -FARTHEST:
            return -math.inf
    while miss(high) > 0:
        high += 2 * reach
        if high > FARTHEST:
            return math.inf
    return float(optimize.brentq(miss, low, high, xtol=1e-10))
