"""The tables of a page: detail first, likeness last, a row a figure, columns that hold
nothing left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from neuromf.evaluation.run import Results
from neuromf.evaluation.score import Beside, Score

DETAIL = {"spectrum": "Detail"}  # before the features
GROUPS = {  # and after them
    "regions": "Sizes of regions",
    "latents": "Latents",
    "copies": "Copies of training data",
    "voxels": "Likeness and variety, voxel by voxel",
    "partner": "Against the real volume of the same name",
}
RANKS = {"lower": "lower", "higher": "higher", "real": "nearer to real", "none": "cannot rank sets"}


class Cell(NamedTuple):
    """What a table shows of one figure: a number, and in small print its interval,
    or how many volumes it is of.
    """

    text: str = ""
    small: str = ""


class Column(NamedTuple):
    """A column of a table: its heading, and a cell for each row."""

    heading: Cell
    cells: list[Cell]
    bound: bool = False  # at equal numbers


def grouped(results: Results) -> list[dict[str, Any]]:
    """Return the scores by group: detail first, similarity last; columns that hold nothing
    are left out.
    """
    features = {
        m: e.label for m, e in zip(results.bench.config.extractors, results.extractors, strict=True)
    }
    out = []
    for prefix, label in (DETAIL | features | GROUPS).items():
        keys = list(
            dict.fromkeys(
                s.key for j in results.sets for s in j.scores if s.key.startswith(f"{prefix}/")
            )
        )
        if not keys:
            continue
        first = [next(s for j in results.sets if (s := j.score(key)) is not None) for key in keys]
        rows = [{"label": s.label, "note": s.note, "better": RANKS[s.better]} for s in first]
        kept = [c for c in columns(results, keys, first) if any(cell.text for cell in c.cells)]
        out.append({"prefix": prefix, "label": label, "rows": rows, "columns": kept})
    return out


def columns(results: Results, keys: Sequence[str], first: Sequence[Score]) -> list[Column]:
    """Return the columns of a table: each set; then at equal numbers each set,
    reconstructions and real volumes.
    """
    scores = [[judged.score(key) for key in keys] for judged in results.sets]
    names = [judged.name for judged in results.sets]
    sizes = [f"n = {len(judged.material)}" for judged in results.sets]
    out = [
        Column(Cell(n, s), [value(c) for c in cells])
        for n, s, cells in zip(names, sizes, scores, strict=True)
    ]
    several = len(names) > 1
    for name, cells in zip(names, scores, strict=True):
        heading = Cell(name if several else "samples", "equal n")
        out.append(
            Column(
                heading, [level(c.beside.get("samples") if c else None) for c in cells], bound=True
            )
        )
    for kind in ("reconstruction", "real"):
        out.append(Column(Cell(kind), [level(s.beside.get(kind)) for s in first], bound=True))
    return out


def value(score: Score | None) -> Cell:
    """Return the cell of a figure with its interval."""
    if score is None:
        return Cell()
    interval = (
        f"[{number(score.interval.low)}, {number(score.interval.high)}]" if score.interval else ""
    )
    return Cell(number(score.value), interval)


def level(beside: Beside | None) -> Cell:
    """Return the cell of a figure at equal numbers."""
    if beside is None:
        return Cell()
    spread = f"± {number(beside.std)}, " if beside.std else ""
    return Cell(number(beside.mean), f"{spread}n = {beside.n} / {beside.m}")


def number(value: float | None) -> str:
    """Return a number as a reader wants it: three or four digits."""
    if value is None or not math.isfinite(value):
        return "–"
    if value and abs(value) < 1e-3:
        return f"{value:.2e}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
