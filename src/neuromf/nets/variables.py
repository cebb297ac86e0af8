"""What a network is conditioned on: numbers and categories, as the user's table has them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from neuromf.flow.guidance import GUIDANCE, OFF, check_guidance
from neuromf.flow.network import Condition

MISSING = ("", "n/a", "na", "nan", "none", "unknown")
KINDS = ("number", "category")


@dataclass(frozen=True)
class Variable:
    """One condition: a number in the range of the training data, or one of several categories.

    As a tensor it is the number itself or the category's place in `values`; NaN is missing.
    """

    name: str
    values: tuple[str, ...] = ()  # of a category; a number has none
    low: float = 0.0  # of a number, over the training data
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name == GUIDANCE:
            raise ValueError(
                f"a condition is called {self.name!r}: letters, digits and _ alone, and not "
                f"{GUIDANCE}"
            )
        if not (math.isfinite(self.low) and self.low <= self.high < math.inf):
            raise ValueError(f"{self.name}: from {self.low} to {self.high}: a finite range")

    @property
    def kind(self) -> str:
        """Number or category."""
        return "category" if self.values else "number"

    @property
    def told(self) -> str:
        """The values that training saw, in words."""
        return ", ".join(self.values) if self.values else f"{self.low:g} to {self.high:g}"

    def read(self, text: str) -> float:
        """Return a value of the table as a number; NaN where it is missing. Raises ValueError for
        what is no number, or no known category.
        """
        text = text.strip()
        if text.casefold() in MISSING:
            return math.nan
        if not self.values:
            return as_number(self.name, text)
        if text not in self.values:
            close = difflib.get_close_matches(text, self.values, n=1, cutoff=0.5)
            meant = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"{self.name} is {text!r}: one of {self.told}{meant}")
        return float(self.values.index(text))

    def outside(self, value: float) -> bool:
        """Return True for a number outside the range of the training data."""
        return not self.values and not math.isnan(value) and not self.low <= value <= self.high


def as_number(name: str, text: str) -> float:
    """Return a text as a finite number. Raises ValueError where it is none."""
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise ValueError(
            f"{name} is {text!r}: a finite number is needed, or n/a where it is not known; "
            f"conditions.{name}=category takes words"
        )
    return value


def fitted(name: str, kind: str, texts: Iterable[str]) -> Variable:
    """Return the variable whose values in the training data are `texts`. Raises ValueError where
    none is known, or a number is none.
    """
    known = [text.strip() for text in texts if text.strip().casefold() not in MISSING]
    if not known:
        raise ValueError(f"{name} is not known of any training latent: leave it out of conditions")
    if kind == "category":
        return Variable(name, tuple(sorted(set(known))))
    numbers = [as_number(name, text) for text in known]
    return Variable(name, (), min(numbers), max(numbers))


@dataclass(frozen=True)
class Conditions:
    """All that a network is conditioned on, and the largest guidance scale it was trained with."""

    variables: tuple[Variable, ...] = ()
    guidance: float = 1.0  # 1 is none

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError(f"conditions are {', '.join(names)}: each once")
        if not 1 <= self.guidance < math.inf:
            raise ValueError(f"guidance is {self.guidance}: 1, which is none, or more")
        if self.guidance > 1 and not names:
            raise ValueError("guidance needs conditions that it leads to: conditions.age=number")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the variables."""
        return tuple(v.name for v in self.variables)

    def extends(self, earlier: Conditions) -> bool:
        """Return True if these are earlier conditions with nothing but further variables, or
        guidance where there was none.
        """
        kept = set(earlier.variables) <= set(self.variables)
        return kept and earlier.guidance in {1.0, self.guidance}

    def condition(
        self, rows: Sequence[Mapping[str, str]], guidance: Sequence[float] = OFF
    ) -> Condition | None:
        """Return the condition of rows of a table, each tensor (rows,), and one guidance for all:
        w, first t, last t. Names that a row lacks are missing. None where the network takes none.

        Raises ValueError for names or values that the network does not know.
        """
        for row in rows:
            strange = [name for name in row if name not in self.names]
            if strange:
                raise ValueError(
                    f"condition {strange[0]!r} is not one of this model's: "
                    f"{', '.join(self.names) or 'it has none'}"
                )
        if not self.variables:
            return None
        found = {
            v.name: torch.tensor([v.read(row.get(v.name, "")) for row in rows])
            for v in self.variables
        }
        return found | self._guided(len(rows), guidance)

    def null(self, n: int) -> Condition | None:
        """Return the condition of n samples of which nothing is known."""
        return self.condition([{}] * n)

    def outside(self, row: Mapping[str, str]) -> list[str]:
        """Return in words which numbers of a row lie outside the training data."""
        return [
            f"{v.name}={row[v.name]}, training had {v.told}"
            for v in self.variables
            if v.name in row and v.outside(v.read(row[v.name]))
        ]

    def _guided(self, n: int, guidance: Sequence[float]) -> Condition:
        check_guidance(guidance)
        w, first, last = guidance
        if self.guidance == 1:
            if w != 1:
                raise ValueError(
                    f"guidance is {w}: this model was trained without; train with "
                    "guidance.largest=3, or so"
                )
            return {}
        if w > self.guidance:
            raise ValueError(
                f"guidance is {w}: this model was trained with scales from 1 to {self.guidance:g}"
            )
        return {GUIDANCE: torch.tensor([[w, first, last]]).repeat(n, 1)}


UNCONDITIONAL = Conditions()
