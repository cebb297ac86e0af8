"""A figure of the paper with the data that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from neuromf.paper.missing import Missing
from neuromf.paper.style import save
from neuromf.runtime.tables import write_table

Rows = list[dict[str, Any]]
FIRST = ("panel", "series")  # columns that every table of data begins with


@dataclass(frozen=True)
class Drawn:
    """A figure: its number and name, caption (LaTeX), data, and what of it is missing."""

    number: int
    name: str
    figure: Figure
    caption: str
    rows: Rows = field(default_factory=list)
    missing: Sequence[Missing] = ()

    @property
    def stem(self) -> str:
        """The name of its files without their endings."""
        return f"figure-{self.number}-{self.name}"

    def write(self, folder: Path) -> None:
        """Write PDF, PNG and CSV; rows for what is missing are at the end of the CSV."""
        save(folder, self.stem, self.figure)
        gaps = [{"panel": m.part, "missing": m.text} for m in self.missing]
        write_table(folder / f"{self.stem}.csv", [*self.rows, *gaps], FIRST)
