"""What the seeds of each group say together: one row for each group and measure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from neuromf.evaluation.score import Better
from neuromf.metrics.aggregates import ENOUGH, interquartile_mean, interval_of_iqm
from neuromf.metrics.intervals import Interval, of_mean
from neuromf.runtime.randomness import Purpose, generator
from neuromf.study.collected import Collected, Known

NONE = Interval(math.nan, math.nan)


@dataclass(frozen=True)
class Summary:
    """A measure over the seeds of a group; NaN where there are too few."""

    group: str
    values: dict[str, str]  # label of its value by axis
    measure: str
    better: Better
    n: int  # seeds
    mean: float
    std: float
    interval: Interval  # of the mean, Student's t
    iqm: float  # interquartile mean
    iqm_interval: Interval  # from ten seeds on
    missing: tuple[int, ...]  # seeds without a value


def summaries(collected: Collected, seed: int = 0) -> list[Summary]:
    """Return a summary for each measure and group; `seed` is that of the bootstrap."""
    return [
        _summary(collected, measure, group, seed)
        for measure in collected.measures
        for group in collected.table.groups
    ]


def _summary(collected: Collected, measure: Known, group: str, seed: int) -> Summary:
    own = collected.of_group(measure.name, group)
    due = [arm.seed for arm in collected.table.arms if arm.group == group]
    x = torch.tensor(list(own.values()), dtype=torch.float64)
    n, values = len(x), list(own.values())
    draws = generator(Purpose.BOOTSTRAP, seed, 1)
    return Summary(
        *(group, collected.table.groups[group], measure.name, measure.better, n),
        mean=float(x.mean()) if n else math.nan,
        std=float(x.std()) if n > 1 else math.nan,
        interval=of_mean(x) if n > 1 else NONE,
        iqm=interquartile_mean(values) if n else math.nan,
        iqm_interval=interval_of_iqm(values, draws) if n >= ENOUGH else NONE,
        missing=tuple(s for s in due if s not in own),
    )
