"""The page of a study's tables, and the same in short for the terminal."""

from __future__ import annotations

import math
from pathlib import Path

from neuromf.metrics.effects import Effect
from neuromf.metrics.intervals import Interval
from neuromf.reporting.page import render
from neuromf.study.comparing import Result
from neuromf.study.groups import Summary
from neuromf.study.rows import compared
from neuromf.study.tables import Tables

RANKS = {"lower": "smaller", "higher": "larger", "real": "nearer to real", "none": "ranks nothing"}
SHOWN = 8  # warnings on the terminal


def page(tables: Tables, drawn: dict[str, Path], out: Path) -> str:
    """Return the HTML page of the run in `out`, with figures that were drawn."""
    collected = tables.collected
    by_group = {
        group: [row for row in tables.summaries if row.group == group]
        for group in collected.table.groups
    }
    return render(
        "neuromf.study",
        "tabulate.html",
        title=f"Study {collected.folder.resolve().name}",
        run=out,
        tables=tables,
        by_group=by_group,
        drawn=drawn,
        ranks=RANKS,
        shown=shown,
        interval=interval,
        small=small,
        compared=compared,
    )


def text(tables: Tables) -> str:
    """Return the table in short, the tests, and what cannot be told."""
    measures = tables.collected.measures
    wide = max(len(row.group) for row in tables.summaries) + 2
    cells = {m.name: [_mean(r) for r in tables.summaries if r.measure == m.name] for m in measures}
    widths = {name: max(map(len, ["", name, *column])) + 2 for name, column in cells.items()}
    lines = [" " * wide + "".join(f"{name:>{width}}" for name, width in widths.items())]
    for group in tables.collected.table.groups:
        own = [row for row in tables.summaries if row.group == group]
        lines.append(f"{group:{wide}}" + "".join(f"{_mean(r):>{widths[r.measure]}}" for r in own))

    # one line for each test of all groups; tests.csv and the page have the pairs
    lines += ["", *(sentence(r) for r in tables.results if r.test != "Games-Howell")]
    more = len(tables.warnings) - SHOWN
    lines += [f"warning: {said}" for said in tables.warnings[:SHOWN]]
    lines += [f"and {more} more warnings"] if more > 0 else []
    return "\n".join([*lines, *tables.limits])


def sentence(r: Result) -> str:
    """Return a test in one line."""
    at = f" at {r.at}" if r.at else ""
    head = f"{r.measure}, {r.family}{at}: {compared(r)}"
    if r.test == "Welch ANOVA":
        return f"{head}: {r.test} {_p(r.p_holm)}{_note(r)}"
    parts = f"{shown(r.difference)} {interval(r.interval)}, {_p(r.p_holm)}"
    if r.pairs is not None:
        parts += f"; paired {_p(r.pairs.p_holm)}"
    return f"{head}: {parts}, g = {effect(r.effect)}{_note(r)}"


def shown(value: float) -> str:
    """Return a number as a reader wants it: four digits."""
    return f"{value:.4g}" if math.isfinite(value) else "–"


def interval(ends: Interval) -> str:
    """Return an interval, a stroke where there is none."""
    return f"[{shown(ends.low)}, {shown(ends.high)}]" if math.isfinite(ends.low) else "–"


def effect(found: Effect) -> str:
    """Return an effect size with its interval."""
    if not math.isfinite(found.value):
        return "–"
    return f"{found.value:.2f} [{found.interval.low:.2f}, {found.interval.high:.2f}]"


def small(p: float) -> str:
    """Return a p as a reader wants it: none below 0.001."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 1e-3 else f"{p:.3f}"


def _p(p: float) -> str:
    said = small(p)
    return f"p {said}" if said.startswith("<") else f"p = {said}"


def _note(r: Result) -> str:
    return f" ({r.note})" if r.note else ""


def _mean(row: Summary) -> str:
    if not row.n:
        return "missing"
    spread = f" ± {row.std:.2g}" if math.isfinite(row.std) else ""
    return f"{row.mean:.4g}{spread} ({row.n})"
