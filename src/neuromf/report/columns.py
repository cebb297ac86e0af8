"""The numbers of a CSV table by column, with what could not be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuromf.runtime.tables import read_table

Numbers = NDArray[np.float64]
UPDATE = "update"
# what columns were called in earlier versions
FORMERLY = {"nonfinite_rows": "nonfinite_samples", "latents_per_second": "samples_per_second"}


@dataclass(frozen=True)
class Columns:
    """Columns of equal length, ordered by `update`; NaN where a cell is empty or no number. Names
    are in lower case, and found in any.

    `missing` says why there is no row at all, `strange` how many rows have no update and were left
    out.
    """

    values: Mapping[str, Numbers] = field(default_factory=dict)
    missing: str = ""
    strange: int = 0

    def __len__(self) -> int:
        return len(self.values.get(UPDATE, ()))

    @property
    def update(self) -> Numbers:
        """The updates (N,), rising."""
        return self.values.get(UPDATE, np.empty(0))

    def has(self, name: str) -> bool:
        """Return True if a column holds a number in at least one row."""
        return bool(np.isfinite(self.values.get(name.lower(), np.empty(0))).any())

    def named(self, prefix: str) -> dict[str, Numbers]:
        """Return the columns whose name begins with `prefix` and that hold a number, by the rest
        of their name.
        """
        return {
            name.removeprefix(prefix.lower()): column
            for name, column in self.values.items()
            if name.startswith(prefix.lower()) and self.has(name)
        }

    def points(self, name: str) -> tuple[Numbers, Numbers]:
        """Return updates and values (M,) of the rows in which a column holds a finite number;
        empty where there is none.
        """
        column = self.values.get(name.lower(), np.full(len(self), math.nan))
        known = np.isfinite(column)
        return self.update[known], column[known]

    def last(self, name: str) -> float:
        """Return the last finite value of a column, NaN where there is none."""
        values = self.points(name)[1]
        return float(values[-1]) if len(values) else math.nan


def read_columns(path: Path, absent: str) -> Columns:
    """Return the table at `path`, of which later rows of an update replace earlier ones.

    Where there is no row, `missing` says why: `absent` for a file that is not there.
    """
    try:
        names, cells = read_table(path)
    except OSError:
        return Columns(missing=f"{path.name} is not there: {absent}")
    except ValueError as error:
        return Columns(missing=str(error))
    if UPDATE not in names:
        return Columns(missing=f"{path.name} has no column {UPDATE!r}, so it is no log of a run")

    rows = dict(_by_update(cells))
    if not rows:
        return Columns(missing=f"{path.name} has no row", strange=len(cells))
    order = sorted(rows)
    values = {
        FORMERLY.get(n, n): np.array([_number(rows[k].get(n, "")) for k in order])
        for n in names
        if n
    }
    readable = sum(1 for _ in _by_update(cells))
    return Columns(values, strange=len(cells) - readable)


def _by_update(cells: list[dict[str, str]]) -> Iterator[tuple[float, dict[str, str]]]:
    for row in cells:
        key = _number(row[UPDATE])
        if math.isfinite(key):
            yield key, row


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
