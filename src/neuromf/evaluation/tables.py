"""The tables of a page: detail first, likeness last, a row a metric, columns that hold
nothing left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from neuromf.evaluation.results import Results
from neuromf.evaluation.score import Beside, Score

DETAIL = {"spectrum": "Detail"}  # before the features
GROUPS = {  # and after them
    "regions": "Sizes of regions",
    "latents": "Latents",
    "lesions": "Lesions",
    "copies": "Copies of training data",
    "voxels": "Likeness and variety, voxel by voxel",
    "partner": "Against the real volume of the same name",
}
RANKS = {"lower": "lower", "higher": "higher", "real": "nearer to real", "none": "cannot rank sets"}


class Cell(NamedTuple):
    """What a table shows of one metric: a number, and in small print its interval,
    or how many volumes it is of.
    """

    text: str = ""
    small: str = ""


class Column(NamedTuple):
    """A column of a table: its heading, and a cell for each row."""

    heading: Cell
    cells: list[Cell]
    equal_n: bool = False  # at equal numbers


class Row(NamedTuple):
    """The head of a row."""

    label: str
    note: str
    better: str


class Table(NamedTuple):
    """The metrics whose keys begin with a prefix."""

    prefix: str
    label: str
    rows: list[Row]
    columns: list[Column]


def tables(results: Results) -> list[Table]:
    """Return the scores by group: detail first, similarity last; columns that hold nothing
    are left out.
    """
    features = {e.key: e.label for e in results.extractors}
    found = (table(results, *group) for group in (DETAIL | features | GROUPS).items())
    return [one for one in found if one.rows]


def table(results: Results, prefix: str, label: str) -> Table:
    """Return the table of the metrics whose keys begin with a prefix."""
    first: dict[str, Score] = {}  # the labels are those of the first set that has the metric
    for evaluated in results.sets.values():
        for score in evaluated.scores:
            if score.key.startswith(f"{prefix}/"):
                first.setdefault(score.key, score)

    rows = [Row(s.label, s.note, RANKS[s.better]) for s in first.values()]
    found = columns(results, list(first.values()))
    return Table(prefix, label, rows, [c for c in found if any(cell.text for cell in c.cells)])


def columns(results: Results, first: Sequence[Score]) -> list[Column]:
    """Return the columns of a table: each set; then at equal numbers each set,
    reconstructions and real volumes.
    """
    several = len(results.sets) > 1
    of_all, of_equal = [], []
    for name, evaluated in results.sets.items():
        scores = [evaluated.score(s.key) for s in first]
        of_all.append(Column(Cell(name, f"n = {evaluated.n}"), [value(s) for s in scores]))
        cells = [level(s.beside.get("samples") if s else None) for s in scores]
        heading = Cell(name if several else "samples", "equal n")
        of_equal.append(Column(heading, cells, equal_n=True))

    references = [
        Column(Cell(kind), [level(s.beside.get(kind)) for s in first], equal_n=True)
        for kind in ("reconstruction", "real")
    ]
    return of_all + of_equal + references


def value(score: Score | None) -> Cell:
    """Return the cell of a value with its interval."""
    if score is None:
        return Cell()

    interval = (
        f"[{number(score.interval.low)}, {number(score.interval.high)}]" if score.interval else ""
    )
    return Cell(number(score.value), interval)


def level(beside: Beside | None) -> Cell:
    """Return the cell of a value at equal numbers."""
    if beside is None:
        return Cell()

    spread = f"± {number(beside.std)}, " if beside.std else ""
    return Cell(number(beside.mean), f"{spread}n = {beside.n} / {beside.reference}")


def number(value: float) -> str:
    """Return a number as a reader wants it: three or four digits."""
    if not math.isfinite(value):
        return "–"
    if value and abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
