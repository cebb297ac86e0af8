"""Metrics of volumes against volumes: how alike a set is in itself, to the nearest real volumes,
to real volumes of the same name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.metric import Bootstrap, Estimate, IntervalRule, Metric, unbounded
from neuromf.evaluation.neighbours import neighbours
from neuromf.evaluation.pairs import Pair, Rows, drawn_pairs
from neuromf.evaluation.points import Extractor, Points, even
from neuromf.evaluation.score import Beside, References
from neuromf.features.plain import TISSUE, unpacked
from neuromf.metrics import intervals
from neuromf.metrics.intervals import Interval
from neuromf.metrics.regions import dice
from neuromf.runtime.randomness import Purpose, generator
from neuromf.segmentation.tissue import CLASSES

ENDS = "ends"  # which volumes the pairs of `ms_ssim` are of (P, 2)
OVERLAPS = 40  # pairs of which the overlap of tissues is measured
BLUR = "Blurred volumes score as high or higher: this cannot show sharpness"
TISSUES = {"CSF": "fluid", "GM": "grey matter", "WM": "white matter"}


@dataclass(frozen=True)
class Chosen:
    """Which volumes of a set are compared with which."""

    ends: list[tuple[int, int]]  # pairs within the set
    nearest: list[tuple[int, int]]  # volumes of the set, and the nearest of the reference
    overlapping: list[tuple[int, int]]  # those whose tissues are laid on each other
    pairs: list[Pair]  # of files: ends, then nearest


def choose_pairs(a: MeasuredSet, r: MeasuredSet, config: EvaluationConfig, number: int) -> Chosen:
    """Return the pairs of the `number`-th set a and the reference r that are compared."""
    near = neighbours(a, r)
    ends = drawn_pairs(len(a), config.pairs, config.seed, number)
    have = torch.isfinite(near.distance).nonzero()[:, 0]  # volumes for which there is one

    def nearest_of(most: int) -> list[tuple[int, int]]:
        return [(i, int(near.index[i])) for i in have[even(len(have), most)].tolist()]

    overlaps = min(OVERLAPS, config.pairs) if config.morphology == "tissue" else 0
    nearest, overlapping = nearest_of(config.pairs), nearest_of(overlaps)
    paths, real = a.volumes.paths, r.volumes.paths
    pairs = [
        *(Pair(paths[i], paths[j], "diversity") for i, j in ends),
        *(Pair(paths[i], real[j], "likeness") for i, j in nearest),
    ]
    return Chosen(ends, nearest, overlapping, pairs)


def likeness(a: MeasuredSet, r: MeasuredSet, chosen: Chosen, rows: Rows) -> dict[str, Tensor]:
    """Return the values of every comparison of volume with volume, by metric;
    `rows` holds those of files.
    """
    found = [rows[pair] for pair in chosen.pairs]
    there = [end for end, row in zip(chosen.ends, found, strict=False) if row]
    overlaps = [overlap(a, r, i, j) for i, j in chosen.overlapping]
    return by_metric([*found, *overlaps]) | {ENDS: torch.tensor(there).reshape(-1, 2)}


def overlap(a: MeasuredSet, r: MeasuredSet, i: int, j: int) -> dict[str, float]:
    """Return the Dice of each tissue of volume i of a with volume j of r,
    empty where one has no brain.
    """
    one, other = (s.features.only([k]) for s, k in ((a, i), (r, j)))
    x, y = (next(f.each(TISSUE, "labels")) for f in (one, other))
    if not len(x) or not len(y):
        return {}

    labels, others = (unpacked(v, f.shape(TISSUE, 0)) for v, f in ((x, one), (y, other)))
    return {
        f"dice.{name}": dice(labels == n, others == n) for n, name in enumerate(CLASSES, start=1)
    }


def partners_of(a: MeasuredSet, r: MeasuredSet, config: EvaluationConfig) -> list[Pair]:
    """Return the pairs of volumes with the reference volume of the same name, none where
    there is none.
    """
    by_name = {item.name: item.path for item in r.volumes.items}
    shared = [i for i in a.volumes.items if i.name in by_name and a is not r]
    pairs = [Pair(i.path, by_name[i.name], "likeness") for i in shared]
    return [pairs[i] for i in even(len(pairs), config.pairs).tolist()]


def by_metric(rows: Sequence[dict[str, float]]) -> dict[str, Tensor]:
    """Return the values of each metric over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        name: torch.tensor([row[name] for row in rows if name in row], dtype=torch.float64)
        for name in names
    }


@dataclass(eq=False)
class PairComparison:
    """Values of pairs of volumes, by metric (P,)."""

    prefix: str
    n: int
    reference: int
    values: dict[str, Tensor]
    references: Mapping[str, References] = field(default_factory=dict)

    @property
    def bootstrap(self) -> Bootstrap | None:
        """None: intervals are Student's."""
        return None

    @property
    def words(self) -> Mapping[str, str]:
        """None are needed."""
        return {}


@dataclass(eq=False)
class LikenessComparison(PairComparison):
    """Of volumes of the set with each other, and with the nearest real ones."""

    draws: int = 0  # of the bootstrap
    seed: int = 0

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Of volumes of the set alone: pairs that share one are not independent."""
        chance = generator(Purpose.BOOTSTRAP, self.seed, 0)  # the same for all sets
        return Bootstrap(intervals.counts(self.n, self.draws, chance), torch.empty(0))


class PartnerComparison(PairComparison):
    """Of volumes with real ones of the same name: voxel by voxel, or in features."""


class FeaturePartnerComparison(PairComparison):
    """The same in the features of one extractor."""


def likeness_references(
    values: Sequence[dict[str, Tensor]], sizes: tuple[int, int, int]
) -> dict[str, References]:
    """Return what stands beside likeness: the values of the samples, of the reconstructions and of
    the reference itself, each volume against those of other people. `sizes` are the numbers of
    samples, reference volumes and reconstructions.
    """
    n, m, k = sizes
    beside: dict[str, References] = {}
    for name in values[0]:
        others = m if name == "ms_ssim" else m - 1
        kinds = zip(
            ("samples", "reconstruction", "real"),
            values,
            ((n, m), (k, others), (m, others)),
            strict=True,
        )
        beside[f"voxels/{name}"] = {
            kind: over_pairs(found[name], *numbers)
            for kind, found, numbers in kinds
            if name in found and name != ENDS
        }

    return beside


def over_pairs(values: Tensor, n: int, m: int) -> Beside:
    """Return mean and standard deviation of values (P,)."""
    return Beside(float(values.mean()), float(values.std()) if len(values) > 1 else 0.0, n, m)


def feature_partners(
    a: MeasuredSet, r: MeasuredSet, extractors: Sequence[Extractor]
) -> list[FeaturePartnerComparison]:
    """Return the distances in features of volumes to the real volume of the
    same name, for each extractor.
    """
    where = {item.name: i for i, item in enumerate(r.volumes.items)}
    mine = [i for i, item in enumerate(a.volumes.items) if item.name in where]
    theirs = [where[a.volumes.items[i].name] for i in mine]
    compared = []
    for extractor in extractors if mine else ():
        one = Points(a.features.only(mine), extractor).embedding
        other = Points(r.features.only(theirs), extractor).embedding
        values = {"partner": (one - other).double().norm(dim=1)}
        compared.append(FeaturePartnerComparison(extractor.name, len(a), len(r), values))
    return compared


def mean_of(name: str) -> Estimate[PairComparison]:
    """Return the estimate of the mean over pairs."""

    def estimate(c: PairComparison, _: Bootstrap | None) -> Tensor | None:
        return c.values[name].mean() if name in c.values else None

    return estimate


def diversity(c: LikenessComparison, bootstrap: Bootstrap | None) -> Tensor | None:
    """Return the mean MS-SSIM of pairs of volumes of the set; of bootstrap samples, volumes are
    drawn, not pairs, which share them.
    """
    values = c.values.get("ms_ssim")
    if values is None or bootstrap is None:
        return None if values is None else values.mean()

    ends = c.values[ENDS]
    pairs = bootstrap.a[:, ends[:, 0]] * bootstrap.a[:, ends[:, 1]]
    return pairs @ values / pairs.sum(1)


def student(name: str) -> IntervalRule[PairComparison]:
    """Return the rule of Student's t over pairs."""

    def interval(c: PairComparison, _value: float, _replicates: Tensor) -> Interval:
        return intervals.of_mean(c.values[name])

    return interval


def _nearest(name: str, label: str, unit: str = "") -> Metric[LikenessComparison]:
    """Return a metric of volumes and the nearest real ones; blur raises it, so it ranks no sets."""
    return Metric(
        LikenessComparison,
        *(name, label, "none", mean_of(name)),
        unit=unit,
        interval=student(name),
        resampled=False,
        note=lambda c: f"{len(c.values[name])} pairs. {BLUR}",
    )


def _partner(name: str, label: str, unit: str = "") -> Metric[PartnerComparison]:
    return Metric(
        PartnerComparison,
        *(name, label, "higher", mean_of(name)),
        unit=unit,
        interval=student(name),
        resampled=False,
        note=lambda _: BLUR,
    )


LIKENESS_METRICS: tuple[
    Metric[LikenessComparison] | Metric[PartnerComparison] | Metric[FeaturePartnerComparison], ...
] = (
    Metric(
        LikenessComparison,
        *("ms_ssim", "MS-SSIM between volumes of the set (less is more diverse)", "real"),
        diversity,
        interval=unbounded,
        note=lambda c: f"{len(c.values['ms_ssim'])} pairs",
    ),
    _nearest("ssim", "SSIM to the nearest real volume"),
    _nearest("psnr", "PSNR to the nearest real volume", "dB"),
    *(
        _nearest(f"dice.{name}", f"Dice of {tissue} with the nearest real volume")
        for name, tissue in TISSUES.items()
    ),
    _partner("ssim", "SSIM with the real volume of the same name"),
    _partner("psnr", "PSNR with the same", "dB"),
    Metric(
        FeaturePartnerComparison,
        *("partner", "feature distance to the real volume of the same name", "lower"),
        mean_of("partner"),
        interval=student("partner"),
        resampled=False,
    ),
)
