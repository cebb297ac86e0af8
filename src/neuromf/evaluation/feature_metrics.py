"""Metrics of the features of two sets: Fréchet, KID, MMD, sliced Wasserstein,
precision to coverage.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuromf.evaluation.feature_comparison import NEIGHBOURS, FeatureComparison
from neuromf.evaluation.metric import (
    Bootstrap,
    Estimate,
    Metric,
    from_zero,
    unbounded,
    weighted_mean,
)
from neuromf.evaluation.points import MOST
from neuromf.features.measure import PLANES
from neuromf.metrics import intervals
from neuromf.metrics.intervals import Interval
from neuromf.metrics.mmd import mmd_squared
from neuromf.metrics.wasserstein import wasserstein_squared

# with fewer volumes, Fréchet distances are comparable at equal numbers of volumes alone
FULL_RANK = 2048


def frechet(plane: str) -> Estimate[FeatureComparison]:
    """Return the estimate of the Fréchet distance in one plane of a 2.5D extractor."""

    def estimate(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor | float | None:
        if plane not in c.a.keys:
            return None
        return c.planes[plane] if bootstrap is None else c.resampled_planes[plane]

    return estimate


def mean_frechet(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor | float:
    """Return the Fréchet distance, the mean over planes."""
    if bootstrap is None:
        return sum(c.planes.values()) / len(c.planes)
    return torch.stack(list(c.resampled_planes.values())).mean(0)


def kid(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor:
    """Return the kernel inception distance."""
    return mmd_squared(c.polynomial, *c.some(bootstrap))


def mmd(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor | None:
    """Return the squared MMD of an RBF kernel."""
    return None if c.radial is None else mmd_squared(c.radial, *c.some(bootstrap))


def sliced(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor:
    """Return the sliced Wasserstein distance."""
    a, r = c.projections
    return resampled_sliced(a, r, *c.some(bootstrap))


def resampled_sliced(
    a: Tensor, r: Tensor, counts_a: Tensor | None, counts_r: Tensor | None
) -> Tensor:
    """Return the sliced Wasserstein distance of projections a (N, K) and r (M, K); (B,) of
    bootstrap samples, if counts (B, N) and (B, M) are given.
    """
    if counts_a is None or counts_r is None:
        return wasserstein_squared(a, r).mean().sqrt()

    repeated = [
        wasserstein_squared(a.repeat_interleave(x, 0), r.repeat_interleave(y, 0)).mean().sqrt()
        for x, y in zip(counts_a.long(), counts_r.long(), strict=True)
    ]
    return torch.stack(repeated)


def distance_to_nearest(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor:
    """Return the mean distance to the nearest volume of the reference."""
    return weighted_mean(c.distances, c.some(bootstrap)[0])


def of_samples(part: str) -> Estimate[FeatureComparison]:
    """Return the estimate of precision or density: a mean over samples."""

    def estimate(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor:
        # the manifolds are fixed; the volumes that are tested against them are resampled
        return weighted_mean(getattr(c.manifold, part), c.some(bootstrap)[0])

    return estimate


def of_people(part: str) -> Estimate[FeatureComparison]:
    """Return the estimate of recall or coverage: a mean over the reference."""

    def estimate(c: FeatureComparison, bootstrap: Bootstrap | None) -> Tensor:
        return weighted_mean(getattr(c.manifold, part), c.some(bootstrap)[1])

    return estimate


def share_of_samples(c: FeatureComparison, value: float, _: Tensor) -> Interval:
    """Return Wilson's interval of a share of the samples."""
    n = min(c.n, MOST)
    return intervals.of_share(round(value * n), n)


def share_of_people(c: FeatureComparison, value: float, _: Tensor) -> Interval:
    """Return Wilson's interval of a share of the reference."""
    n = min(c.reference, MOST)
    return intervals.of_share(round(value * n), n)


def falls(c: FeatureComparison) -> str:
    """Return a caution about Fréchet distances of few volumes, empty where there are enough."""
    if min(c.n, c.reference) >= FULL_RANK:
        return ""
    return (
        "compare at equal numbers of volumes alone: it falls as "
        f"they grow ({c.n} and {c.reference} here)"
    )


FEATURE_METRICS: tuple[Metric[FeatureComparison], ...] = (
    *(
        Metric(
            FeatureComparison,
            *(f"fid.{plane}", f"FID, {plane}", "lower", frechet(plane)),
            fewest=2,
            interval=from_zero,
            compared=True,
            note=falls,
        )
        for plane in PLANES
    ),
    Metric(
        FeatureComparison,
        *("fid", "FID, {kind}", "lower", mean_frechet),
        fewest=2,
        interval=from_zero,
        compared=True,
        note=falls,
        plotted=True,
        printed=True,
        tested=True,
    ),
    Metric(
        FeatureComparison,
        *("kid", "KID", "lower", kid),
        fewest=2,
        interval=unbounded,
        compared=True,
        plotted=True,
        printed=True,
        tested=True,
    ),
    Metric(
        FeatureComparison,
        *("mmd", "MMD² (RBF)", "lower", mmd),
        fewest=2,
        interval=unbounded,
        compared=True,
    ),
    Metric(
        FeatureComparison,
        *("swd", "sliced Wasserstein", "lower", sliced),
        interval=from_zero,
        compared=True,
        plotted=True,
    ),
    Metric(
        FeatureComparison,
        *("nearest", "feature distance to the nearest real volume", "real", distance_to_nearest),
        interval=from_zero,
        compared=True,
    ),
    Metric(
        FeatureComparison,
        *("precision", "precision", "higher", of_samples("precision")),
        fewest=NEIGHBOURS + 1,
        interval=share_of_samples,
        resampled=False,
        printed=True,
    ),
    Metric(
        FeatureComparison,
        *("recall", "recall", "higher", of_people("recall")),
        fewest=NEIGHBOURS + 1,
        interval=share_of_people,
        resampled=False,
        printed=True,
    ),
    Metric(
        FeatureComparison,
        *("density", "density", "real", of_samples("density")),
        fewest=NEIGHBOURS + 1,
        interval=from_zero,  # not compared: drawn volumes would change the manifolds too
    ),
    Metric(
        FeatureComparison,
        *("coverage", "coverage", "higher", of_people("coverage")),
        fewest=NEIGHBOURS + 1,
        interval=share_of_people,
        resampled=False,
    ),
)
