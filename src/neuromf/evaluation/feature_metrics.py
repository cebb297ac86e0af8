"""Distances between the features of two sets: Fréchet, KID, MMD, sliced Wasserstein,
precision to coverage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from neuromf.evaluation.score import FEWEST, TRUSTED, Better, Score
from neuromf.features.extract import Features
from neuromf.features.extractors import load_measure
from neuromf.metrics import intervals
from neuromf.metrics.frechet import Gaussian, fit_gaussian, frechet_distance, frechet_of_covariances
from neuromf.metrics.mmd import (
    Kernels,
    median_distance,
    mmd_squared,
    polynomial_kernels,
    rbf_kernels,
)
from neuromf.metrics.precision_recall import Manifold, manifold, nearest
from neuromf.metrics.wasserstein import project, wasserstein_squared
from neuromf.runtime.randomness import Purpose, generator

NEIGHBOURS = 5  # of precision, recall, density and coverage
PROJECTIONS = 256  # of the sliced Wasserstein distance
COMPONENTS = 64  # directions in which a Fréchet distance is resampled
BASIS_OF = 512  # points of each set that those directions are found from
MOST = 2000  # volumes of a set that are compared pair by pair
TOGETHER = 32  # volumes whose features are summed up at once
# volumes below which a Fréchet distance is not to be compared across numbers of volumes
FULL_RANK = 2048

BETTER: dict[str, Better] = {
    **dict.fromkeys(("kid", "mmd", "swd"), "lower"),
    **dict.fromkeys(("precision", "recall", "coverage"), "higher"),
    **dict.fromkeys(("density", "nearest"), "real"),
}
NAMES = {
    "kid": "KID",
    "mmd": "MMD² (RBF)",
    "swd": "sliced Wasserstein",
    "nearest": "feature distance to the nearest real volume",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}


@dataclass(frozen=True)
class Points:
    """A set as one extractor sees it, without its volumes."""

    features: Features
    extractor: str

    def __len__(self) -> int:
        return len(self.features)

    @property
    def keys(self) -> tuple[str, ...]:
        """The planes of a 2.5D extractor, `volume` of a 3D one."""
        return load_measure(self.extractor, self.features.job.device).keys

    def only(self, indices: Sequence[int]) -> Points:
        """Return the same of some of the volumes."""
        part = Points(self.features.only(indices), self.extractor)
        # it is in memory, the slices are not
        part.__dict__["embedding"] = self.embedding[list(indices)]
        return part

    def parts(self, key: str) -> Iterator[Tensor]:
        """Yield the points (n, C) of a plane, slices of a few volumes at a time."""
        kept: list[Tensor] = []
        for values in self.features.each(self.extractor, key):
            kept.append(values)
            if len(kept) == TOGETHER:
                yield torch.cat(kept)
                kept = []
        if kept:
            yield torch.cat(kept)

    @cached_property
    def embedding(self) -> Tensor:
        """One point a volume (N, C): the means over its slices, planes side by side."""
        columns = [
            torch.stack([v.mean(0) for v in self.features.each(self.extractor, key)])
            for key in self.keys
        ]
        return torch.cat(columns, 1)

    @cached_property
    def gaussians(self) -> dict[str, Gaussian]:
        """The Gaussian of each plane's points."""
        return {key: fit_gaussian(self.parts(key)) for key in self.keys}


@dataclass(frozen=True)
class Setup:
    """What has to be the same for all sets that are compared: the kernel's width,
    directions, resampled reference.
    """

    reference: Points
    draws: int  # of the bootstrap
    seed: int = 0
    sets: tuple[Points, ...] = ()  # that are compared
    reference_counts: Tensor = field(init=False)

    def __post_init__(self) -> None:
        chance = generator(Purpose.BOOTSTRAP, self.seed, 0)
        object.__setattr__(
            self, "reference_counts", intervals.counts(len(self.reference), self.draws, chance)
        )

    @cached_property
    def bandwidth(self) -> float:
        """Median distance between reference volumes."""
        return median_distance(self.reference.embedding)

    @cached_property
    def bases(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Middle (C,) and leading directions (C, COMPONENTS) of each
        plane's points, over all sets.
        """
        return {key: principal((self.reference, *self.sets), key) for key in self.reference.keys}


def plain(a: Points, r: Points, setup: Setup) -> dict[str, float]:
    """Return every figure of set a against reference r, metric -> value; a metric
    that is not defined is left out.
    """
    values: dict[str, float] = {}
    if min(len(a), len(r)) >= 2:
        planes = {key: frechet_distance(a.gaussians[key], r.gaussians[key]) for key in a.keys}
        values |= {f"fid.{key}": value for key, value in planes.items()} if len(planes) > 1 else {}
        values["fid"] = sum(planes.values()) / len(planes)
        kernels = all_kernels(a, r, setup)
        values |= {name: float(mmd_squared(k)) for name, k in kernels.items()}
    values["swd"] = float(wasserstein_squared(*directions(a, r, setup)).mean().sqrt())
    values["nearest"] = float(nearest(some(a), some(r))[0].mean())
    if min(len(a), len(r)) > NEIGHBOURS:
        found = manifold(some(a), some(r), NEIGHBOURS)
        values |= {name: float(getattr(found, name).mean()) for name in Manifold._fields}
    return values


def scores(a: Points, r: Points, setup: Setup, number: int) -> tuple[list[Score], list[str]]:
    """Return the figures of set a, the `number`-th, with intervals; and why others are missing."""
    values = plain(a, r, setup)
    counts_a = intervals.counts(
        len(a), setup.draws, generator(Purpose.BOOTSTRAP, setup.seed, number)
    )
    replicates = resampled(a, r, setup, counts_a)
    out = []
    for name, value in values.items():
        spread = replicates[name]
        interval = interval_of(name, value, spread, a, r)
        note = ""
        if name.startswith("fid") and min(len(a), len(r)) < FULL_RANK:
            note = (
                "compare at equal numbers of volumes alone: it falls as "
                f"they grow ({len(a)} and {len(r)} here)"
            )
        better = BETTER.get(name, "lower")
        key = f"{a.extractor}/{name}"
        # they leave out how the manifolds would change
        kept = None if name in Manifold._fields else spread
        out.append(
            Score(
                key,
                label(name, a),
                value,
                len(a),
                len(r),
                better,
                interval,
                note=note,
                replicates=kept,
            )
        )
    return out, missing(a, r)


def interval_of(
    name: str, value: float, spread: Tensor, a: Points, r: Points
) -> intervals.Interval | None:
    """Return the interval of a figure: Wilson's of a share, the bootstrap's of
    others, none for a few volumes.
    """
    if min(len(a), len(r)) < FEWEST:
        return None
    if name in {"precision", "recall", "coverage"}:
        n = min(len(r if name != "precision" else a), MOST)
        return intervals.of_share(round(value * n), n)
    return intervals.around(value, spread, lowest=-torch.inf if name in {"kid", "mmd"} else 0.0)


def missing(a: Points, r: Points) -> list[str]:
    """Return one line for every metric that the sets are too small for."""
    lines = []
    if min(len(a), len(r)) < 2:
        lines.append(
            f"{a.extractor}: FID, KID and MMD need 2 volumes in "
            f"each set: {len(a)} and {len(r)} are there"
        )
    if min(len(a), len(r)) <= NEIGHBOURS:
        lines.append(
            f"{a.extractor}: precision, recall, density and coverage look at the {NEIGHBOURS}th "
            f"neighbour and need {NEIGHBOURS + 1} volumes in "
            f"each set: {len(a)} and {len(r)} are there"
        )
    elif min(len(a), len(r)) < TRUSTED:
        lines.append(
            f"{a.extractor}: {NEIGHBOURS} neighbours of {min(len(a), len(r))} volumes are many: "
            f"precision, recall, density and coverage tell little below {TRUSTED}"
        )
    if min(len(a), len(r)) < FEWEST:
        lines.append(f"{a.extractor}: below {FEWEST} volumes in each set there are no intervals")
    return lines


def label(name: str, points: Points) -> str:
    """Return what a page calls a metric."""
    if name.startswith("fid."):
        return f"FID, {name.removeprefix('fid.')}"
    if name == "fid":
        return "FID, 2.5D (mean of planes)" if len(points.keys) > 1 else "FID, 3D"
    return NAMES[name]


def some(points: Points) -> Tensor:
    """Return the embeddings of no more than MOST volumes, evenly spaced."""
    return points.embedding[even(len(points), MOST)]


def even(n: int, most: int) -> Tensor:
    """Return up to `most` indices of n, evenly spaced."""
    return torch.arange(n) if n <= most else torch.linspace(0, n - 1, most).round().long()


def all_kernels(a: Points, r: Points, setup: Setup) -> dict[str, Kernels]:
    """Return the kernels of KID and of MMD."""
    x, y = some(a), some(r)
    found = {"kid": polynomial_kernels(x, y)}
    if len(setup.reference) > 1 and setup.bandwidth > 0:
        found["mmd"] = rbf_kernels(x, y, setup.bandwidth)
    return found


def directions(a: Points, r: Points, setup: Setup) -> list[Tensor]:
    """Return both sets along the same random directions."""
    chance = generator(Purpose.DIRECTIONS, setup.seed)
    return project([some(a), some(r)], PROJECTIONS, chance)


def resampled(a: Points, r: Points, setup: Setup, counts_a: Tensor) -> dict[str, Tensor]:
    """Return (B,) bootstrap replicates of every figure; whole volumes are drawn, of both sets."""
    counts_r = setup.reference_counts
    out: dict[str, Tensor] = {}
    picked_a, picked_r = counts_a[:, even(len(a), MOST)], counts_r[:, even(len(r), MOST)]
    if min(len(a), len(r)) >= 2:
        planes = {key: resampled_frechet(a, r, key, counts_a, setup) for key in a.keys}
        out |= {f"fid.{key}": value for key, value in planes.items()}
        out["fid"] = torch.stack(list(planes.values())).mean(0)
        out |= {
            name: mmd_squared(k, picked_a, picked_r) for name, k in all_kernels(a, r, setup).items()
        }
    along_a, along_r = directions(a, r, setup)
    repeated = [
        wasserstein_squared(along_a.repeat_interleave(wa, 0), along_r.repeat_interleave(wr, 0))
        .mean()
        .sqrt()
        for wa, wr in zip(picked_a.long(), picked_r.long(), strict=True)
    ]
    out["swd"] = torch.stack(repeated).double()
    out["nearest"] = picked_a @ nearest(some(a), some(r))[0] / picked_a.sum(1).clamp(min=1)
    if min(len(a), len(r)) > NEIGHBOURS:
        # the manifolds stay, the volumes judged by them are drawn
        found = manifold(some(a), some(r), NEIGHBOURS)
        for name in Manifold._fields:
            weights = picked_a if name in {"precision", "density"} else picked_r
            out[name] = weights @ getattr(found, name) / weights.sum(1).clamp(min=1)
    return out


def resampled_frechet(a: Points, r: Points, key: str, counts_a: Tensor, setup: Setup) -> Tensor:
    """Return (B,) Fréchet distances of resampled volumes, in the COMPONENTS directions
    in which the sets vary most.
    """
    middle, basis = setup.bases[key]
    moments = []
    for points, counts in ((a, counts_a), (r, setup.reference_counts)):
        slices, sums, squares = [], [], []
        for values in points.features.each(points.extractor, key):
            y = (values.double() - middle) @ basis
            slices.append(len(y))
            sums.append(y.sum(0))
            squares.append(y.T @ y)
        number = counts @ torch.tensor(slices, dtype=torch.float64)
        mean = counts @ torch.stack(sums) / number[:, None]
        second = torch.einsum("bn,nij->bij", counts, torch.stack(squares))
        outer = torch.einsum("bi,bj->bij", mean, mean) * number[:, None, None]
        moments += [mean, (second - outer) / (number - 1).clamp(min=1)[:, None, None]]
    return frechet_of_covariances(*moments)


def principal(sets: Sequence[Points], key: str) -> tuple[Tensor, Tensor]:
    """Return the middle (C,) and the leading directions (C, COMPONENTS) of points
    of all sets, as many of each.
    """
    parts = []
    for points in sets:
        slices = len(next(points.features.each(points.extractor, key)))
        chosen = points.features.only(even(len(points), -(-BASIS_OF // slices)).tolist())
        values = torch.cat(list(chosen.each(points.extractor, key))).double()
        parts.append(values[even(len(values), BASIS_OF)])
    stacked = torch.cat(parts)
    middle = stacked.mean(0)
    _, vectors = torch.linalg.eigh((stacked - middle).T @ (stacked - middle))
    return middle, vectors[:, -COMPONENTS:]
