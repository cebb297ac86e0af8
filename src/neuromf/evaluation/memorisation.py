"""Does a set copy the training data? Nearest training volumes in coarse voxels
and in an extractor's features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from neuromf.evaluation.feature_metrics import Points
from neuromf.evaluation.measured import Material
from neuromf.evaluation.score import Beside, Score
from neuromf.evaluation.sets import Item
from neuromf.evaluation.volume_metrics import one_person
from neuromf.metrics.intervals import Interval, around, of_share
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


@dataclass(frozen=True)
class Copies:
    """Samples, and held-out people, against training volumes, in one space."""

    space: str
    memorisation: Memorisation
    closest: list[Closest]  # the samples nearest to a training volume


def find_copies(a: Material, r: Material, train: Material, space: str) -> Copies | None:
    """Return distances to the nearest training volume in `voxels` or in the features
    of an extractor.

    None where no held-out person is left to compare with: each is in the training set itself.
    """
    mine, held_out, taught = (embedded(s, space) for s in (a, r, train))
    distance, index = nearest(mine, taught)
    real, _ = nearest(held_out, taught, one_person(r, train))
    real = real[torch.isfinite(real)]
    if not len(real):
        return None
    scale = mine.shape[1] ** 0.5
    order = distance.argsort()[:SHOWN].tolist()
    drawn, taught_by = a.volumes.items, train.volumes.items
    closest = [
        Closest(drawn[i], taught_by[int(index[i])], float(distance[i]) / scale) for i in order
    ]
    return Copies(space, Memorisation(distance / scale, real / scale), closest)


def embedded(s: Material, space: str) -> Tensor:
    """Return one point a volume."""
    return (
        s.features.stacked("voxels", "voxels")
        if space == "voxels"
        else Points(s.features, space).embedding
    )


def copy_scores(copies: Copies, draws: int) -> list[Score]:
    """Return the flagged share, the probability of being nearer than a held-out
    person, and the ratio of medians.

    Beside each is what samples that copy nothing would have.
    """
    found, space = copies.memorisation, copies.space
    n, m = len(found.samples), len(found.held_out)
    where = "coarse voxels" if space == "voxels" else space
    near = f"share nearer to a training volume than {100 * (1 - QUANTILE):.0f} % of held-out people"
    figures = (
        ("flagged", near, float(found.flagged.double().mean()), found.expected),
        ("nearer", "probability of lying nearer than a held-out person", found.nearer, 0.5),
        ("ratio", "median distance over that of held-out people", found.ratio, 1.0),
    )
    replicates = resampled(found, draws)
    out = []
    for name, label, value, expected in figures:
        interval = around(value, replicates[name], lowest=0.0)
        if name == "flagged":  # none of a few volumes is not never
            wilson = of_share(round(value * n), n)
            interval = Interval(min(interval.low, wilson.low), max(interval.high, wilson.high))
        note = f"real: what no copying gives, {m} people being held out. {SMOOTH}"
        score = Score(
            f"copies/{space}/{name}", f"{where}: {label}", value, n, m, "real", interval, note=note
        )
        out.append(score.with_beside(real=Beside(expected, 0.0, n, m)))
    return out


def resampled(found: Memorisation, draws: int) -> dict[str, Tensor]:
    """Return (draws,) replicates of the three figures: samples and held-out people are drawn."""
    rows: dict[str, list[float]] = {"flagged": [], "nearer": [], "ratio": []}
    chance = generator(Purpose.BOOTSTRAP, 0, 0)
    for _ in range(draws):
        one, other = (
            v[torch.randint(len(v), (len(v),), generator=chance)]
            for v in (found.samples, found.held_out)
        )
        drawn = Memorisation(one, other)
        values = (float(drawn.flagged.double().mean()), drawn.nearer, drawn.ratio)
        for row, value in zip(rows.values(), values, strict=True):
            row.append(value)
    return {name: torch.tensor(row, dtype=torch.float64) for name, row in rows.items()}
