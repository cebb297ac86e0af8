"""The table of a study in LaTeX (booktabs): mean ± standard deviation over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuromf.study.collected import Collected
from neuromf.study.groups import Summary

ARROWS = {"lower": r" $\downarrow$", "higher": r" $\uparrow$"}
SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPECIAL |= {character: f"\\{character}" for character in "&%$#_{}"}


def latex(collected: Collected, rows: Sequence[Summary]) -> str:
    """Return a booktabs table: a row for each group, a column for each measure."""
    axes, measures = collected.table.axes, collected.measures
    heads = [*(escaped(axis) for axis in axes), "seeds"]
    heads += [escaped(m.name) + ARROWS.get(m.better, "") for m in measures]
    lines = [
        f"% neuromf tabulate study={collected.folder}; needs \\usepackage{{booktabs}}",
        "% mean ± standard deviation over training seeds",
        f"\\begin{{tabular}}{{{'l' * len(axes)}{'r' * (1 + len(measures))}}}",
        *("\\toprule", " & ".join(heads) + r" \\", "\\midrule"),
    ]
    for group, values in collected.table.groups.items():
        own = [row for row in rows if row.group == group]
        cells = [escaped(values.get(axis, "")) for axis in axes]
        lines.append(" & ".join([*cells, _seeds(own), *(_cell(row) for row in own)]) + r" \\")
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def escaped(text: str) -> str:
    """Return text as LaTeX prints it."""
    return "".join(SPECIAL.get(character, character) for character in text)


def _seeds(rows: Sequence[Summary]) -> str:
    counts = sorted({row.n for row in rows})
    return f"{counts[0]}--{counts[-1]}" if len(counts) > 1 else str(counts[0] if counts else 0)


def _cell(row: Summary) -> str:
    if not row.n:
        return "--"
    spread = f" $\\pm$ {row.std:.2g}" if math.isfinite(row.std) else ""
    return f"{row.mean:.4g}{spread}"
