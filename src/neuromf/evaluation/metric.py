"""What a metric is: its name, which way is better, and one function for its value and for its
bootstrap replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor

from neuromf.evaluation.score import Better, References, Score, enough
from neuromf.metrics import intervals
from neuromf.metrics.intervals import Interval
from neuromf.runtime.randomness import Purpose, generator


class Bootstrap(NamedTuple):
    """How often each volume is in each of B bootstrap samples: of the set (B, N), of the
    reference (B, M).
    """

    a: Tensor
    r: Tensor


class Comparison(Protocol):
    """A set beside the reference in one space: what metrics of that space are computed from."""

    @property
    def prefix(self) -> str:
        """The first part of the keys of its metrics: an extractor, spectrum, regions/GM."""

    @property
    def n(self) -> int:
        """Volumes of the set."""

    @property
    def reference(self) -> int:
        """Volumes of the reference."""

    @property
    def bootstrap(self) -> Bootstrap | None:
        """Bootstrap samples of both; None where values alone are wanted."""

    @property
    def references(self) -> Mapping[str, References]:
        """What stands beside each metric, by its key."""

    @property
    def words(self) -> Mapping[str, str]:
        """What fills the places in the labels of its metrics."""


C = TypeVar("C", bound=Comparison)
# The value on the data where no bootstrap is given, replicates (B,) where one is; None where the
# metric is not defined for a comparison.
Estimate = Callable[[C, Bootstrap | None], "Tensor | float | None"]
IntervalRule = Callable[[C, float, Tensor], Interval]  # of value and replicates (B,)


def _no_note(_: Comparison) -> str:
    return ""


@dataclass(frozen=True)
class Metric(Generic[C]):
    """One metric of one kind of comparison. Tables, plots and p values follow from it."""

    of: type[C]
    key: str  # after the comparison's prefix
    label: str  # with places for the comparison's words
    better: Better
    estimate: Estimate[C]
    unit: str = ""
    fewest: int = 1  # volumes of each set that it needs
    interval: IntervalRule[C] | None = None
    resampled: bool = True  # the interval is taken from replicates
    compared: bool = False  # replicates of all sets are of the same resampled reference
    note: Callable[[C], str] = _no_note
    plotted: bool = False  # each set beside the others
    printed: bool = False  # on the terminal
    tested: bool = False  # p values of differences stand on the page

    def name(self, comparison: Comparison) -> str:
        """Return the whole key, as scores.csv has it."""
        return f"{comparison.prefix}/{self.key}"

    def value(self, comparison: C) -> float | None:
        """Return the point estimate, None where the sets are too small or it is not defined."""
        if min(comparison.n, comparison.reference) < self.fewest:
            return None

        found = self.estimate(comparison, None)
        return None if found is None else float(found)

    def replicates(self, comparison: C) -> Tensor:
        """Return the same of each bootstrap sample (B,), empty where none is to be drawn."""
        bootstrap = comparison.bootstrap
        if self.interval is None or not self.resampled or bootstrap is None:
            return torch.empty(0)

        found = self.estimate(comparison, bootstrap)
        return torch.empty(0) if found is None else torch.as_tensor(found).double()

    def score(self, comparison: C) -> Score | None:
        """Return value, interval and references, None where there is no value."""
        value = self.value(comparison)
        if value is None:
            return None

        n, m = comparison.n, comparison.reference
        interval, replicates = None, torch.empty(0)
        if self.interval is not None and enough(n, m):
            replicates = self.replicates(comparison)
            if len(replicates) or not self.resampled:
                interval = self.interval(comparison, value, replicates)

        label = self.label.format(**comparison.words)
        return Score(
            key=self.name(comparison),
            label=f"{label}, {self.unit}" if self.unit else label,
            value=value,
            n=n,
            reference=m,
            better=self.better,
            interval=interval,
            beside=dict(comparison.references.get(self.name(comparison), {})),
            note=self.note(comparison),
            unit=self.unit,
            replicates=tuple(replicates.tolist()),
            compared=self.compared and len(replicates) > 0,
        )


def from_zero(_: Comparison, value: float, replicates: Tensor) -> Interval:
    """Return the bootstrap's interval of a metric that is 0 or more."""
    return intervals.around(value, replicates, 0.0)


def up_to_one(_: Comparison, value: float, replicates: Tensor) -> Interval:
    """Return the bootstrap's interval of a share, a probability or a Dice coefficient."""
    return intervals.around(value, replicates, 0.0, 1.0)


def unbounded(_: Comparison, value: float, replicates: Tensor) -> Interval:
    """Return the bootstrap's interval of a metric that may have any value."""
    return intervals.around(value, replicates)


def weighted_mean(values: Tensor, counts: Tensor | None) -> Tensor:
    """Return the mean of values (N,); the means (B,) of bootstrap samples, if counts (B, N)
    are given.
    """
    if counts is None:
        return values.mean()
    return counts @ values / counts.sum(1).clamp(min=1)


def draw_bootstrap(n: int, reference: int, draws: int, seed: int, number: int) -> Bootstrap:
    """Return bootstrap samples of the `number`-th set (from 1) and of the reference, which are
    the same whatever the set.
    """
    return Bootstrap(
        intervals.counts(n, draws, generator(Purpose.BOOTSTRAP, seed, number)),
        intervals.counts(reference, draws, generator(Purpose.BOOTSTRAP, seed, 0)),
    )
