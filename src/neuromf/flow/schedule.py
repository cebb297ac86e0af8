"""A number that changes over a run: the share of samples with r = t, the longest interval."""

import math
from dataclasses import dataclass
from typing import Literal

from neuromf.flow.checks import between


@dataclass(frozen=True)
class Ramp:
    """A value that goes from `start` to `end` while progress, the share of the run done,
    goes from `begin` to `finish`.

    Example: pure flow matching for the first fifth, half the samples with r < t from two fifths on:
    `replace(times, equal_fraction=Ramp(1.0, 0.5, 0.2, 0.4).at(step / steps))`.
    """

    start: float
    end: float
    begin: float = 0.0
    finish: float = 1.0
    shape: Literal["linear", "cosine"] = "linear"  # begin = finish is a jump in either

    def __post_init__(self) -> None:
        between(0, self.begin, 1, "begin")
        between(self.begin, self.finish, 1, "finish")
        if self.shape not in ("linear", "cosine"):
            raise ValueError(f"shape is {self.shape!r}: 'linear' or 'cosine'")

    def at(self, progress: float) -> float:
        """Return the value at `progress` in [0, 1]."""
        if progress < self.begin:
            return self.start
        if progress >= self.finish:
            return self.end
        done = (progress - self.begin) / (self.finish - self.begin)
        if self.shape == "cosine":
            done = (1 - math.cos(math.pi * done)) / 2
        return self.start + (self.end - self.start) * done
