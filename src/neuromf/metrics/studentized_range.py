"""The distribution of the studentised range, by Gauss-Legendre quadrature: scipy's quantile takes
seconds, and a table of comparisons needs one for each pair of arms.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Values = NDArray[np.float64]
NODES = 80  # in each of both integrals
TAIL = 1e-14  # of the standard deviation's distribution that is left out on either side
REACH = 8.5  # of the normal distribution, standard deviations


def sf(q: float, k: int, df: float) -> float:
    """Return the probability that the range of k standard normal values over an independent
    standard deviation of df degrees of freedom is larger than q.
    """
    scales, weights = _deviations(float(df))
    tail = float(weights @ _range_sf(q * scales, k))
    return min(max(tail, 0.0), 1.0)


def ppf(probability: float, k: int, df: float) -> float:
    """Return the quantile: the q that is not exceeded with a probability."""
    beyond, high = 1 - probability, 4.0
    while sf(high, k, df) > beyond:
        high *= 2
    return float(optimize.brentq(lambda q: sf(q, k, df) - beyond, 0.0, high, xtol=1e-9))


@functools.cache
def _nodes() -> tuple[Values, Values]:
    """Return nodes and weights on (-1, 1)."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    return x, w


@functools.lru_cache(maxsize=256)
def _deviations(df: float) -> tuple[Values, Values]:
    """Return nodes and weights of the standard deviation over its expectation, evenly in its
    logarithm, in which the density has no singularity.
    """
    x, w = _nodes()
    low, high = (np.log(q / df) / 2 for q in (stats.chi2.ppf(TAIL, df), stats.chi2.isf(TAIL, df)))
    scales = np.exp(low + (high - low) * (x + 1) / 2)
    density = stats.chi2.pdf(df * scales**2, df) * 2 * df * scales**2
    return scales, w * (high - low) / 2 * density


def _range_sf(widths: Values, k: int) -> Values:
    """Return for widths (S,) the probability that the range of k normal values is larger."""
    x, w = _nodes()
    z = REACH * x
    largest = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)  # where the largest value lies
    within = special.ndtr(z) - special.ndtr(z - widths[:, None])
    missed = special.ndtr(z) ** (k - 1) - within ** (k - 1)
    return k * (missed * largest) @ (REACH * w)
