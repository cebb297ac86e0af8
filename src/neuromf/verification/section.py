"""What is measured while the table is made, beyond tests and runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Section:
    """A measurement with its numbers, in a sentence, and as a figure or a table."""

    name: str  # of its files
    title: str
    said: str
    values: Mapping[str, float] = field(default_factory=dict)  # by name, for rows of the table
    plot: Figure | None = None
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
