"""Tables of the paper: LaTeX for booktabs, and CSV with the source of every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuromf.paper.missing import Missing
from neuromf.runtime.files import write_text
from neuromf.runtime.tables import write_table
from neuromf.study.latex import escaped

SIGNS = {
    "±": r"$\pm$", "−": "$-$", "×": r"$\times$", "³": "$^3$", "≥": r"$\geq$", "≤": r"$\leq$",
    "↓": r"$\downarrow$", "↑": r"$\uparrow$", "–": "--", "<": "$<$", ">": "$>$", "°": r"$^\circ$",
    "ì": r"\`{\i}", "…": r"\dots{}", "→": r"$\to$",
}  # fmt: skip
NONE = "–"


def tex(text: str) -> str:
    """Return plain text as LaTeX prints it."""
    return "".join(SIGNS.get(letter, letter) for letter in escaped(text))


@dataclass(frozen=True)
class Cell:
    """What a cell shows, and the numbers behind it with their source, as the CSV has them."""

    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    latex: str = ""  # in place of the text, where it holds a command

    @property
    def printed(self) -> str:
        """The cell in LaTeX."""
        return self.latex or tex(self.text)


@dataclass(frozen=True)
class Block:
    """A part of a table with its own heading and columns; of one that was not run, what is
    missing stands in place of its rows.
    """

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]] = ()
    missing: Missing | None = None
    align: str = ""  # of LaTeX's tabular; the first column left, others right, if empty


@dataclass(frozen=True)
class Table:
    """A table: its number and name, caption (LaTeX), and blocks."""

    number: int
    name: str
    caption: str
    blocks: Sequence[Block]
    small: bool = False  # smaller type, for many columns

    @property
    def stem(self) -> str:
        """The name of its files without their endings."""
        return f"table-{self.number}-{self.name}"

    @property
    def missing(self) -> list[Missing]:
        """What is missing of it."""
        return [block.missing for block in self.blocks if block.missing]

    def write(self, folder: Path) -> None:
        """Write LaTeX and CSV."""
        write_text(folder / f"{self.stem}.tex", latex(self))
        write_table(folder / f"{self.stem}.csv", rows(self), ("block", "row", "column", "shown"))


def latex(table: Table) -> str:
    """Return a table's blocks, one tabular under the other."""
    head = f"% neuromf paper: {table.stem}; needs \\usepackage{{booktabs}}\n"
    head += "% and for columns L \\newcolumntype{L}[1]{>{\\raggedright\\arraybackslash}p{#1}}\n"
    parts = "\n\\par\\medskip\n".join(_tabular(block) for block in table.blocks)
    return head + ("\\footnotesize\n" if table.small else "") + parts + "\n"


def rows(table: Table) -> list[dict[str, Any]]:
    """Return a row for each cell: what it shows, the numbers, and their source."""
    found: list[dict[str, Any]] = []
    for block in table.blocks:
        if block.missing:
            found.append({"block": block.heading, "missing": block.missing.text})
        for row in block.rows:
            named = {"block": block.heading, "row": row[0].text}
            found += [
                named | {"column": column, "shown": cell.text} | dict(cell.data)
                for column, cell in zip(block.columns[1:], row[1:], strict=True)
            ]
    return found


def _tabular(block: Block) -> str:
    lines = [f"\\textbf{{{tex(block.heading)}}}\\\\[2pt]"] if block.heading else []
    if block.missing:
        note = f"\\parbox{{0.9\\linewidth}}{{\\raggedright\\emph{{{tex(block.missing.text)}}}}}"
        rules = ["\\begin{tabular}{l}", "\\toprule", f"{note} \\\\"]
        return "\n".join([*lines, *rules, "\\bottomrule", "\\end{tabular}"])

    align = block.align or "l" + "r" * (len(block.columns) - 1)
    lines += [f"\\begin{{tabular}}{{{align}}}", "\\toprule"]
    lines += [" & ".join(tex(column) for column in block.columns) + r" \\", "\\midrule"]
    lines += [" & ".join(cell.printed for cell in row) + r" \\" for row in block.rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}"])
