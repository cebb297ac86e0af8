"""The arms of a study as `neuromf tabulate` wrote them, arms.csv: values by group and seed, with
the statistics of `neuromf.study`.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from neuromf.paper.missing import MissingError
from neuromf.paper.sources import Cited, Given, Sources, reading
from neuromf.study.collected import Collected, Known
from neuromf.study.comparing import Result, compare
from neuromf.study.families import families
from neuromf.study.folder import Row, Table
from neuromf.study.measures import better

FILE = "arms.csv"
FIRST = ("arm", "group", "seed", "state", "missing")  # columns of every table
AXIS = "axis."


@dataclass(frozen=True)
class Group:
    """What the seeds of one group say of a measure: mean and standard deviation over seeds."""

    name: str
    values: dict[str, str]  # label of its value by axis
    seeds: dict[int, float]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.seeds.values()) if self.seeds else math.nan

    @property
    def std(self) -> float:
        """The standard deviation over seeds, NaN of fewer than two."""
        return statistics.stdev(self.seeds.values()) if len(self.seeds) > 1 else math.nan


@dataclass(frozen=True)
class Arms:
    """The arms of one study, and the file that they were read from."""

    given: Given
    cited: Cited
    collected: Collected

    def measure(self, ending: str) -> str:
        """Return the measure with that name, or the only one that ends so. Raises MissingError
        where there is none.
        """
        names = [m.name for m in self.collected.measures]
        hits = [n for n in names if n == ending] or [n for n in names if n.endswith(f"/{ending}")]
        if len(hits) != 1:
            what = f"has no column {ending}" if not hits else f"has several columns {ending}"
            raise MissingError(self.given.key, f"{self.given.text} {what}")
        return hits[0]

    def groups(self, measure: str) -> list[Group]:
        """Return each group with the seeds that have a value, groups without any left out."""
        found = [
            Group(name, values, self.collected.of_group(measure, name))
            for name, values in self.collected.table.groups.items()
        ]
        return [group for group in found if group.seeds]

    def tests(self, axis: str, measure: str) -> list[Result]:
        """Return the tests along an axis, p values corrected as `neuromf tabulate` does."""
        known = next(m for m in self.collected.measures if m.name == measure)
        return [
            result
            for family in families(self.collected.table)
            if family.name == axis
            for result in compare(family, self.collected, known)
        ]


def read_arms(sources: Sources, key: str) -> Arms:
    """Return the arms of a study.

    Raises MissingError where the table is not given, not there, cut off, or of something else.
    """
    given = sources.one(key)
    path = given.path / FILE if given.path.is_dir() else given.path
    if not path.is_file():
        raise MissingError(key, f"{given.text} is not there")
    with reading(given):
        collected = parse_arms(path.read_text(encoding="utf-8"), path)
    return Arms(given, sources.cite(given, path), collected)


def parse_arms(text: str, path: Path) -> Collected:
    """Return the arms in the text of an arms.csv. Raises ValueError for one that is cut off, or
    that is another table.
    """
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    lacking = [column for column in FIRST if column not in header]
    if lacking:
        raise ValueError(f"{path.name} has no column {lacking[0]}: `neuromf tabulate` writes one")

    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ValueError(
                f"{path.name} is cut off: line {number} has {len(row)} of {len(header)} cells"
            )
    if not text.endswith("\n"):
        raise ValueError(f"{path.name} is cut off: its last line has no end")
    if not rows:
        raise ValueError(f"{path.name} holds no arm")
    return _collected(header, [dict(zip(header, row, strict=True)) for row in rows], path)


def _collected(header: list[str], rows: list[dict[str, str]], path: Path) -> Collected:
    axes = [column.removeprefix(AXIS) for column in header if column.startswith(AXIS)]
    names = [c for c in header if c not in FIRST and not c.startswith(AXIS)]
    arms = [
        Row(r["arm"], r["group"], int(r["seed"]), {axis: r[AXIS + axis] for axis in axes})
        for r in rows
    ]
    values: dict[str, dict[str, float]] = {name: {} for name in names}
    missing: dict[str, dict[str, str]] = {name: {} for name in names}
    for row in rows:
        for name in names:
            value = float(row[name] or "nan")
            if math.isfinite(value):
                values[name][row["arm"]] = value
            else:
                missing[name][row["arm"]] = row["missing"] or f"{row[name] or 'empty'}: no number"

    return Collected(
        folder=path.parent,
        table=Table(axes, sorted({arm.seed for arm in arms}), {}, arms),
        measures=tuple(Known(name, "", better(name), "") for name in names),
        values=values,
        missing=missing,
        states={row["arm"]: row["state"] for row in rows},
    )
