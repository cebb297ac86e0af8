"""Does a set copy the training data? Nearest training volumes in coarse voxels
and in an extractor's features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.metric import Bootstrap, Estimate, Metric, from_zero, up_to_one
from neuromf.evaluation.neighbours import one_person
from neuromf.evaluation.points import Extractor, Points
from neuromf.evaluation.score import Beside, References
from neuromf.evaluation.sets import Item
from neuromf.features.plain import VOXELS
from neuromf.metrics.intervals import Interval, of_share
from neuromf.metrics.memorisation import QUANTILE, Memorisation
from neuromf.metrics.precision_recall import nearest
from neuromf.runtime.randomness import Purpose, generator

SMOOTH = (
    "Blurred samples lie near everybody in voxels: copies are near in features too, and one "
    "person in the pictures"
)
SHOWN = 6  # pairs on the page


class Closest(NamedTuple):
    """A sample and the training volume nearest to it, root mean square distance apart."""

    sample: Item
    training: Item
    distance: float


@dataclass(eq=False)
class TrainingComparison:
    """Samples, and held-out people, against training volumes, in one space."""

    space: str
    memorisation: Memorisation
    closest: list[Closest]  # the samples nearest to a training volume
    draws: int = 0  # of the bootstrap
    seed: int = 0

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return f"copies/{self.space}"

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.memorisation.samples)

    @property
    def reference(self) -> int:
        """Held-out people."""
        return len(self.memorisation.held_out)

    @property
    def words(self) -> Mapping[str, str]:
        """The space."""
        return {"space": "coarse voxels" if self.space == "voxels" else self.space}

    @property
    def references(self) -> Mapping[str, References]:
        """What samples that copy nothing would have."""
        expected = {"flagged": self.memorisation.expected, "nearer": 0.5, "ratio": 1.0}
        return {
            f"{self.prefix}/{name}": {"real": Beside(value, 0.0, self.n, self.reference)}
            for name, value in expected.items()
        }

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """Bootstrap samples of samples and of held-out people."""
        chance = generator(Purpose.BOOTSTRAP, self.seed, 0)  # the same for all sets
        counts = torch.zeros(self.draws, self.n), torch.zeros(self.draws, self.reference)
        for draw in range(self.draws):
            for rows in counts:
                drawn = torch.randint(rows.shape[1], (rows.shape[1],), generator=chance)
                rows[draw] = drawn.bincount(minlength=rows.shape[1])
        return Bootstrap(*counts)


def compare_with_training(
    a: MeasuredSet,
    r: MeasuredSet,
    train: MeasuredSet,
    extractor: Extractor | None,
    draws: int = 0,
    seed: int = 0,
) -> TrainingComparison | None:
    """Return distances to the nearest training volume in the features of an extractor, in coarse
    voxels for None.

    None where no held-out person is left to compare with: each is in the training set itself.
    """
    samples, held_out, training = (embedded(s, extractor) for s in (a, r, train))
    distance, index = nearest(samples, training)
    real, _ = nearest(held_out, training, one_person(r, train))
    real = real[torch.isfinite(real)]
    if not len(real):
        return None

    scale = samples.shape[1] ** 0.5
    order = distance.argsort()[:SHOWN].tolist()
    mine, theirs = a.volumes.items, train.volumes.items
    closest = [Closest(mine[i], theirs[int(index[i])], float(distance[i]) / scale) for i in order]
    space = extractor.name if extractor else "voxels"
    distances = Memorisation(distance / scale, real / scale)
    return TrainingComparison(space, distances, closest, draws, seed)


def embedded(s: MeasuredSet, extractor: Extractor | None) -> Tensor:
    """Return one point a volume."""
    if extractor is None:
        return s.features.stacked(VOXELS, "voxels")
    return Points(s.features, extractor).embedding


def of_distances(
    statistic: Callable[[Memorisation], float],
) -> Estimate[TrainingComparison]:
    """Return the estimate of a statistic of both sets of distances."""

    def estimate(c: TrainingComparison, bootstrap: Bootstrap | None) -> Tensor | float:
        found = c.memorisation
        if bootstrap is None:
            return statistic(found)

        drawn = zip(bootstrap.a.long(), bootstrap.r.long(), strict=True)
        repeated = [
            statistic(
                Memorisation(
                    found.samples.repeat_interleave(x), found.held_out.repeat_interleave(y)
                )
            )
            for x, y in drawn
        ]
        return torch.tensor(repeated, dtype=torch.float64)

    return estimate


def with_wilson(c: TrainingComparison, value: float, replicates: Tensor) -> Interval:
    """Return the bootstrap's interval of a share, widened to include Wilson's: a share of 0 among
    few volumes does not mean that the true share is 0.
    """
    interval, wilson = up_to_one(c, value, replicates), of_share(round(value * c.n), c.n)
    return Interval(min(interval.low, wilson.low), max(interval.high, wilson.high))


def without_copying(c: TrainingComparison) -> str:
    """Return what the reference is."""
    return f"real: what no copying gives, {c.reference} people being held out. {SMOOTH}"


TRAINING_METRICS: tuple[Metric[TrainingComparison], ...] = (
    Metric(
        TrainingComparison,
        "flagged",
        "{space}: share nearer to a training volume than "
        f"{100 * (1 - QUANTILE):.0f} % of held-out people",
        "real",
        of_distances(lambda found: float(found.flagged.double().mean())),
        interval=with_wilson,
        note=without_copying,
        printed=True,
    ),
    Metric(
        TrainingComparison,
        "nearer",
        "{space}: probability of lying nearer than a held-out person",
        "real",
        of_distances(lambda found: found.nearer),
        interval=up_to_one,
        note=without_copying,
    ),
    Metric(
        TrainingComparison,
        "ratio",
        "{space}: median distance over that of held-out people",
        "real",
        of_distances(lambda found: found.ratio),
        interval=from_zero,
        note=without_copying,
    ),
)
