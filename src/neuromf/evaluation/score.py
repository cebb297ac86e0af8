"""One figure of merit, with all that it has to stand beside."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import Tensor

from neuromf.metrics.intervals import Interval

FEWEST = 5  # volumes of each set from which on intervals and p values say something
TRUSTED = 30  # volumes of each set from which on small differences show

# real: the nearer to the real set's own value; none: ranks nothing
Better = Literal["lower", "higher", "real", "none"]


@dataclass(frozen=True)
class Beside:
    """The same figure of another set, or of fewer volumes: mean and standard deviation over
    draws of n against m.
    """

    mean: float
    std: float
    n: int
    m: int

    def to_json(self) -> dict[str, Any]:
        """Return plain values; NaN and Inf as null."""
        return {
            "mean": finite(self.mean),
            "std": finite(self.std),
            "n": self.n,
            "reference": self.m,
        }


@dataclass(frozen=True)
class Score:
    """A figure of n volumes against m of the reference; beside it those of samples,
    reconstruction, real at equal n.
    """

    key: str  # extractor/metric
    label: str
    value: float
    n: int
    m: int
    better: Better = "lower"
    interval: Interval | None = None
    beside: dict[str, Beside] = field(default_factory=dict)
    note: str = ""
    replicates: Tensor | None = None  # (B,) of the bootstrap

    def to_json(self) -> dict[str, Any]:
        """Return what scores.json holds."""
        interval = (
            [finite(self.interval.low), finite(self.interval.high)] if self.interval else None
        )
        return {
            "key": self.key,
            "label": self.label,
            "value": finite(self.value),
            "interval": interval,
            "n": self.n,
            "reference": self.m,
            "better": self.better,
            "beside": {name: value.to_json() for name, value in self.beside.items()},
            "note": self.note,
        }

    def supported(self) -> Score:
        """Return the score without interval and replicates where fewer than
        FEWEST volumes are in either set.
        """
        return (
            self if min(self.n, self.m) >= FEWEST else replace(self, interval=None, replicates=None)
        )

    def with_beside(self, **others: Beside | None) -> Score:
        """Return the score with more figures beside it."""
        return replace(
            self, beside=self.beside | {k: v for k, v in others.items() if v is not None}
        )


def finite(value: float) -> float | None:
    """Return a number that JSON knows, None for NaN and Inf."""
    return float(value) if math.isfinite(value) else None
