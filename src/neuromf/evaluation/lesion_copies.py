"""Are lesion masks copies of training masks? The most similar training mask of each, beside that of
held-out people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from neuromf.evaluation.lesion_metrics import ALIGNED, WHERE_THEY_LIE, Similarity
from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.metric import (
    Bootstrap,
    Estimate,
    Metric,
    from_zero,
    up_to_one,
    weighted_mean,
)
from neuromf.evaluation.nearest_masks import NearestMasks, dice_between, nearest_masks
from neuromf.evaluation.neighbours import one_person
from neuromf.evaluation.score import Beside, References
from neuromf.metrics import intervals
from neuromf.metrics.intervals import Interval

LEAST = 0.7  # Dice that a copy has at least, however different real people are
ROWS = 500  # masks whose Dice with all others is held at once


@dataclass(eq=False)
class MaskCopiesComparison:
    """The lesion masks of samples, and of held-out people, against those of training data. The most
    similar training masks are two: those where they lie, and those aligned.
    """

    samples: tuple[NearestMasks, ...]
    held_out: tuple[NearestMasks, ...]
    largest: float  # Dice of two different real people
    reference: int  # training masks
    bootstrap: Bootstrap | None = None

    @property
    def prefix(self) -> str:
        """Of its keys."""
        return "lesions/training"

    @property
    def n(self) -> int:
        """Samples with a mask."""
        return len(self.samples[0].dice)

    @property
    def words(self) -> Mapping[str, str]:
        """The threshold."""
        return {"threshold": f"{self.threshold:.2f}"}

    @property
    def threshold(self) -> float:
        """The Dice coefficient above which a mask is a copy: no two real people exceed it."""
        return max(self.largest, LEAST)

    @cached_property
    def references(self) -> Mapping[str, References]:
        """What held-out people have."""
        n = len(self.held_out[0].dice)
        people = MaskCopiesComparison(self.held_out, self.held_out, self.largest, self.reference)
        values = {m.key: m.estimate(people, None) for m in MASK_COPIES_METRICS}
        return {
            f"{self.prefix}/{key}": {"real": Beside(float(value), 0.0, n, self.reference)}
            for key, value in values.items()
            if value is not None
        }


def compare_with_training_masks(
    a: MeasuredSet, r: MeasuredSet, train: MeasuredSet, bootstrap: Bootstrap | None = None
) -> MaskCopiesComparison:
    """Return the comparison of sets whose volumes all have masks. Held-out people are not compared
    with themselves, should they be in the training data.
    """
    same = one_person(r, train).numpy()
    return MaskCopiesComparison(
        tuple(nearest_masks(a.masks, train.masks, aligned) for aligned in (False, True)),
        tuple(nearest_masks(r.masks, train.masks, aligned, same) for aligned in (False, True)),
        max(largest_dice(*pair) for pair in ((r, train), (r, r), (train, train))),
        len(train),
        bootstrap,
    )


def largest_dice(a: MeasuredSet, b: MeasuredSet) -> float:
    """Return the largest Dice coefficient, where they lie, of the masks of two different people,
    one of each set; 0 where there are no two.
    """
    different = ~one_person(a, b).numpy()
    largest = 0.0
    for start in range(0, len(a), ROWS):
        rows = slice(start, start + ROWS)
        dice = dice_between(a.masks[rows], b.masks)
        largest = max(largest, float(dice[different[rows]].max(initial=0.0)))
    return largest


def share_of_copies(c: MaskCopiesComparison, _: Bootstrap | None) -> float:
    """Return the share of masks whose Dice with a training mask is above the threshold."""
    return float((c.samples[0].dice > c.threshold).mean())


def wilson(c: MaskCopiesComparison, value: float, _: Tensor) -> Interval:
    """Return Wilson's interval of a share of the set."""
    return intervals.of_share(round(value * c.n), c.n)


def mean_similarity(aligned: bool, field: Similarity) -> Estimate[MaskCopiesComparison]:
    """Return the estimate of the mean over masks of their similarity to the most similar training
    mask.
    """

    def estimate(c: MaskCopiesComparison, bootstrap: Bootstrap | None) -> Tensor | None:
        values = torch.from_numpy(getattr(c.samples[aligned], field))
        there = torch.isfinite(values)
        if not bool(there.any()):
            return None
        return weighted_mean(values[there], bootstrap and bootstrap.a[:, there])

    return estimate


def on_copies(c: MaskCopiesComparison) -> str:
    """Return a note that explains the threshold."""
    return (
        f"the threshold is the larger of {LEAST:g} and {c.largest:.3f}, the largest Dice of two "
        "different real people (reference and training data); real: held-out people"
    )


def of_training(
    key: str, label: str, field: Similarity, *, aligned: bool
) -> Metric[MaskCopiesComparison]:
    """Return the metric of the similarity to the most similar training mask."""
    return Metric(
        MaskCopiesComparison,
        *(key, f"{label}, with the most similar training mask: mean", "real"),
        mean_similarity(aligned, field),
        unit="mm" if field == "hausdorff95" else "",
        interval=up_to_one if field == "dice" else from_zero,
        note=lambda _: f"{ALIGNED if aligned else WHERE_THEY_LIE}; real: held-out people",
    )


MASK_COPIES_METRICS: tuple[Metric[MaskCopiesComparison], ...] = (
    Metric(
        MaskCopiesComparison,
        "copies",
        "masks that are copies of a training mask (Dice above {threshold})",
        "real",
        share_of_copies,
        interval=wilson,
        resampled=False,
        note=on_copies,
        printed=True,
    ),
    of_training("dice", "Dice", "dice", aligned=False),
    of_training("dice.aligned", "Dice, aligned", "dice", aligned=True),
    of_training("hausdorff95", "95 % Hausdorff distance", "hausdorff95", aligned=False),
    of_training(
        "hausdorff95.aligned", "95 % Hausdorff distance, aligned", "hausdorff95", aligned=True
    ),
)
