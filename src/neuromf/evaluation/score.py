"""The value of a metric for one set, and the references that stand beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from neuromf.metrics.intervals import Interval

FEWEST = 5  # volumes of each set; with fewer there are no intervals and no p values
TRUSTED = 30  # volumes of each set; with fewer, small differences cannot be seen

# real: the nearer to the real set's own value; none: ranks nothing
Better = Literal["lower", "higher", "real", "none"]


@dataclass(frozen=True)
class Beside:
    """The same metric of a reference, or of fewer volumes: mean and standard deviation over
    draws of n volumes against `reference` others.
    """

    mean: float
    std: float
    n: int
    reference: int


# kind of reference -> its value: `samples`, the set itself at equal numbers; `real`, the
# real-vs-real reference; `reconstruction`, the reconstruction ceiling
References = dict[str, Beside]


@dataclass(frozen=True)
class Score:
    """A metric of n volumes against those of the reference."""

    key: str  # extractor/metric
    label: str
    value: float
    n: int
    reference: int
    better: Better = "lower"
    interval: Interval | None = None
    beside: References = field(default_factory=dict)
    note: str = ""
    unit: str = ""
    replicates: tuple[float, ...] = ()  # of the bootstrap, in order; empty where there is none
    compared: bool = False  # replicates of two sets are paired, so that differences have a p

    def with_beside(self, **others: Beside | None) -> Score:
        """Return the score with more references beside it."""
        return replace(
            self, beside=self.beside | {k: v for k, v in others.items() if v is not None}
        )


def enough(*numbers: int) -> bool:
    """Return True if sets of so many volumes support intervals and p values."""
    return min(numbers) >= FEWEST
