"""The table of what the project is held to: phases, rows with their criteria, and where the
evidence of each comes from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import yaml

from neuromf.runtime.records import RecordError, as_record

MEASURED = "measured"  # the source of figures that are computed while the table is made
RECORDED = "benchmarks/"  # the start of sources that were measured before, and are kept


@dataclass(frozen=True)
class Figure:
    """One number of a row, and the bounds that it has to keep.

    A bound is a number, or the key of another number of the same source.
    """

    label: str
    source: str  # RUN/FILE.json of a run of the table, a kept file, or `measured`
    key: str  # names in the file, joined by dots
    unit: str = ""
    above: float | str | None = None
    below: float | str | None = None
    at_least: float | str | None = None
    at_most: float | str | None = None

    @property
    def recorded(self) -> bool:
        """Whether the number was measured before, and kept."""
        return self.source.startswith(RECORDED)


@dataclass(frozen=True)
class Seen:
    """What no number decides: somebody looked at pictures."""

    reached: bool
    where: str  # the pictures
    says: str


@dataclass(frozen=True)
class Row:
    """One thing that is held to a criterion. Several kinds of evidence have to hold together."""

    what: str
    criterion: str
    id: str = ""
    family: str = ""
    tests: tuple[str, ...] = ()  # of pytest: a file, file::name or file::class::name
    figures: tuple[Figure, ...] = ()
    seen: Seen | None = None
    lacks: str = ""  # what keeps the evidence from being the criterion's; the row is then not run


@dataclass(frozen=True)
class Phase:
    """Rows that open a gate together."""

    name: str
    title: str
    rows: tuple[Row, ...]
    critical: tuple[str, ...] = ()  # ids that have to pass for the gate; every one, if empty
    some: tuple[str, ...] = ()  # further ids of which `of_some` have to pass
    of_some: int = 0
    gate: bool = True


@dataclass(frozen=True)
class Source:
    """A command whose folder figures are read from. `$volumes` and `$model` are the user's; `$NAME`
    is the folder of an earlier source.
    """

    verb: str
    words: tuple[str, ...]
    needs: str = ""  # volumes or model: what the user has to give
    quick: bool = False


@dataclass(frozen=True)
class Table:
    """All phases, and the runs that their figures come from, in order."""

    sources: dict[str, Source] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()

    def chosen(self, names: Sequence[str]) -> Table:
        """Return the phases of these names, all where there is none, and the runs they need.
        Raises ValueError for an unknown name.
        """
        known = [phase.name for phase in self.phases]
        strange = [name for name in names if name not in known]
        if strange:
            raise ValueError(f"phases={strange}: some of {', '.join(known)}")
        phases = tuple(p for p in self.phases if not names or p.name in names)
        kept = Table(self.sources, phases)
        return Table(kept._needed(), phases)

    def rows(self) -> Iterator[Row]:
        """Go through all rows."""
        for phase in self.phases:
            yield from phase.rows

    def tests(self, *, of_gates: bool = False) -> list[str]:
        """Return every test of the table once, in order; or those that a gate depends on."""
        rows = [row for p in self.phases if p.gate or not of_gates for row in p.rows]
        return list(dict.fromkeys(test for row in rows for test in row.tests))

    def _needed(self) -> dict[str, Source]:
        wanted = {f.source.split("/")[0] for row in self.rows() for f in row.figures}
        for name in reversed(self.sources):  # what a run needs stands before it
            if name in wanted:
                words = " ".join(self.sources[name].words)
                wanted |= {other for other in self.sources if f"${other}" in words}
        return {name: source for name, source in self.sources.items() if name in wanted}


@cache
def read_table() -> Table:
    """Return the table that the package holds. Raises RecordError where it contradicts itself."""
    where = resources.files("neuromf.verification") / "table.yaml"
    value = yaml.safe_load(where.read_text(encoding="utf-8"))
    table = as_record(value, Table, "table.yaml")
    _check(table)
    return table


def _check(table: Table) -> None:
    ids = [(row.family, row.id) for row in table.rows() if row.id]
    twice = sorted({found for found in ids if ids.count(found) > 1})
    if twice:
        raise RecordError(f"table.yaml has rows twice: {twice}")
    for row in table.rows():
        for figure in row.figures:
            name = figure.source.split("/")[0]
            if not figure.recorded and name != MEASURED and name not in table.sources:
                raise RecordError(f"table.yaml, {row.id or row.what}: no source {figure.source}")
