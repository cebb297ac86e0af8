"""Metrics of the sizes of brain regions, of two sets of volumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.metric import Bootstrap, Metric, from_zero
from neuromf.evaluation.neighbours import neighbours
from neuromf.evaluation.score import Beside, References
from neuromf.evaluation.volume_metrics import VolumeComparison
from neuromf.metrics import intervals
from neuromf.metrics.intervals import Interval
from neuromf.metrics.regions import Values, kl_divergence, pearson, wasserstein

BY_CHANCE = (
    "Kullback-Leibler divergences of histograms rise with the number of "
    "volumes: compare at equal numbers alone"
)


@dataclass(eq=False)
class RegionComparison(VolumeComparison):
    """Sizes of one region, ml; NaN where a volume could not be segmented."""

    region: str = field(kw_only=True)
    method: str = field(kw_only=True)  # by which it was segmented
    paired: NDArray[np.float64] = field(kw_only=True)  # (N,) of the nearest real volume

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return f"regions/{self.region}"

    @property
    def words(self) -> Mapping[str, str]:
        """The region."""
        return {"region": self.region}

    @cached_property
    def sizes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the set (N,) and of the reference (M,)."""
        x, y = (s.sizes[self.region].numpy().astype(np.float64) for s in (self.a, self.r))
        return x, y

    @property
    def known(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The sizes of volumes in which the region was found, None where one set has none."""
        x, y = (values[np.isfinite(values)] for values in self.sizes)
        return (x, y) if len(x) and len(y) else None


def size_distance(c: RegionComparison, bootstrap: Bootstrap | None) -> Tensor | float | None:
    """Return the Wasserstein distance of the sizes, ml."""
    return resampled_wasserstein(*c.sizes, bootstrap)


def resampled_wasserstein(
    x: Values, y: Values, bootstrap: Bootstrap | None
) -> Tensor | float | None:
    """Return the Wasserstein distance of values (N,) and (M,), of which some may be NaN; of
    bootstrap samples (B,). None where one set has no value.
    """
    x_there, y_there = np.isfinite(x), np.isfinite(y)
    known = x[x_there], y[y_there]
    if not (len(known[0]) and len(known[1])):
        return None
    if bootstrap is None:
        return wasserstein(*known)

    drawn = zip(bootstrap.a.long().numpy(), bootstrap.r.long().numpy(), strict=True)
    weighted = [(p[x_there], q[y_there]) for p, q in drawn]
    distances = [
        stats.wasserstein_distance(*known, p, q) if p.any() and q.any() else np.nan
        for p, q in weighted
    ]
    return torch.tensor(distances, dtype=torch.float64)


def divergence(c: RegionComparison, _: Bootstrap | None) -> float | None:
    """Return the Kullback-Leibler divergence of the sizes' histograms, nats."""
    return None if c.known is None else kl_divergence(*c.known)


def correlation(c: RegionComparison, _: Bootstrap | None) -> float | None:
    """Return Pearson's r of sizes with those of the nearest real volume."""
    if c.known is None:
        return None
    both = np.isfinite(c.sizes[0]) & np.isfinite(c.paired)
    return pearson(c.sizes[0][both], c.paired[both])


@dataclass(eq=False)
class SegmentationComparison(VolumeComparison):
    """In which volumes a brain was found at all."""

    method: str = field(kw_only=True)

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return "regions"


def found(s: MeasuredSet) -> Tensor:
    """Return in which volumes (N,) regions could be measured, bool."""
    return torch.isfinite(next(iter(s.sizes.values())))


def share_found(c: SegmentationComparison, _: Bootstrap | None) -> float:
    """Return the share of volumes in which a brain was found."""
    return int(found(c.a).sum()) / c.n


def share(c: SegmentationComparison, value: float, _: Tensor) -> Interval:
    """Return Wilson's interval of a share of the set."""
    return intervals.of_share(round(value * c.n), c.n)


def segmentation_comparison(
    a: MeasuredSet, r: MeasuredSet, method: str
) -> list[SegmentationComparison]:
    """Return whether brains were found, beside the same of the reference; empty where nothing
    was segmented.
    """
    if not a.sizes or not r.sizes:
        return []
    real = Beside(float(found(r).double().mean()), 0.0, len(r), len(r))
    beside: Mapping[str, References] = {"regions/found": {"real": real}}
    return [SegmentationComparison(a, r, references=beside, method=method)]


def region_comparisons(
    a: MeasuredSet,
    r: MeasuredSet,
    method: str,
    bootstrap: Bootstrap | None = None,
    references: Mapping[str, References] | None = None,
) -> list[RegionComparison]:
    """Return a comparison of each region that was measured, by `method`, in both sets."""
    if not a.sizes:
        return []

    near = neighbours(a, r)
    has_neighbour = torch.isfinite(near.distance).numpy()
    compared = []
    for region in (name for name in a.sizes if name in r.sizes):
        other = r.sizes[region].numpy().astype(np.float64)
        paired = np.where(has_neighbour, other[near.index.numpy()], np.nan)
        compared.append(
            RegionComparison(
                *(a, r, bootstrap, references or {}), region=region, method=method, paired=paired
            )
        )
    return compared


REGION_METRICS: tuple[Metric[SegmentationComparison] | Metric[RegionComparison], ...] = (
    Metric(
        SegmentationComparison,
        *("found", "volumes in which tissues were found", "higher", share_found),
        interval=share,
        resampled=False,
        note=lambda c: c.method,
    ),
    Metric(
        RegionComparison,
        *("wasserstein", "{region}: Wasserstein", "lower", size_distance),
        unit="ml",
        interval=from_zero,
        compared=True,
        note=lambda c: c.method,
    ),
    Metric(
        RegionComparison,
        *("kl", "{region}: Kullback-Leibler", "lower", divergence),
        unit="nats",
        note=lambda c: f"{c.method}. {BY_CHANCE}",
    ),
    Metric(
        RegionComparison,
        *("r", "{region}: Pearson r with the nearest real volume", "higher", correlation),
        note=lambda c: c.method,
    ),
)
