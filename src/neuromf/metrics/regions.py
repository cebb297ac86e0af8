"""Comparing two sets by the volumes of brain regions: correlation, Kullback-Leibler,
Wasserstein, overlap.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

BINS = 20
Values = NDArray[np.float64]


def pearson(a: Values, b: Values) -> float:
    """Return Pearson's r of paired values (N,); NaN for fewer than three pairs or if one
    side is constant.

    Raises ValueError for sides of different length.
    """
    if np.shape(a) != np.shape(b) or np.ndim(a) != 1:
        raise ValueError(
            f"Pearson's r takes pairs of values: shapes {np.shape(a)} and {np.shape(b)} came"
        )
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(stats.pearsonr(a, b).statistic)


def wasserstein(a: Values, b: Values) -> float:
    """Return the 1-Wasserstein distance of two distributions of values, in their unit; for a shift
    it is the shift.

    Raises ValueError if one is empty.
    """
    _refuse_empty("a Wasserstein distance", a, b)
    return float(stats.wasserstein_distance(a, b))


def kl_divergence(a: Values, b: Values, bins: int = BINS) -> float:
    """Return KL(a || b) of two samples' histograms over their common range, in nats; 0
    for equal samples.

    Half a count is added to each bin, so that an empty one does not make the divergence infinite.
    Raises ValueError if a sample is empty or holds NaN.
    """
    _refuse_empty("a divergence", a, b)
    edges = np.histogram_bin_edges(np.concatenate([a, b]), bins)
    p, q = (np.histogram(values, edges)[0] + 0.5 for values in (a, b))
    p, q = p / p.sum(), q / q.sum()
    return float((p * np.log(p / q)).sum())


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the Dice overlap of two masks of equal shape; 1 if both are empty.

    Raises ValueError for anything but two masks of one shape.
    """
    if a.shape != b.shape or a.dtype != np.bool_ or b.dtype != np.bool_:
        raise ValueError(
            f"Dice takes two masks of bool in one shape: {a.dtype} {a.shape} and {b.dtype} "
            f"{b.shape} came; labels == 2 makes one"
        )
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def _refuse_empty(what: str, *samples: Values) -> None:
    """Raise ValueError for samples without a value, or with NaN."""
    for values in samples:
        if not np.size(values) or np.ndim(values) != 1 or not np.isfinite(values).all():
            raise ValueError(
                f"{what} takes finite values (N,), one at least: "
                f"shape {np.shape(values)} came, or NaN"
            )
