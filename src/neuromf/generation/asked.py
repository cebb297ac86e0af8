"""What samples are asked to be: the conditions of each, and the guidance of all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from neuromf.flow.guidance import OFF, check_guidance
from neuromf.flow.network import Condition
from neuromf.nets.variables import UNCONDITIONAL, Conditions
from neuromf.runtime.folders import local_path
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.tables import read_table

Row = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """Conditions by name as the user wrote them: one row for every sample, or row i for sample i.

    Raises ValueError for names or values that the model does not know, or a guidance that it was
    not trained with.
    """

    conditions: Conditions = UNCONDITIONAL  # of the model
    rows: tuple[Row, ...] = ({},)
    guidance: tuple[float, float, float] = OFF  # the scale w, the first and the last t it acts at
    flow: bool = False  # the model is a flow, which a second network call can lead
    # conditions of the people in the training; a sample without any takes those of one of them
    population: tuple[Row, ...] = ()
    seed: int = 0  # by which

    def __post_init__(self) -> None:
        self.conditions.condition(self.rows, OFF if self.led else self.guidance)
        self.conditions.condition(self.population)
        check_guidance(self.guidance)
        if self.guidance[0] != 1 and not self.asks:
            raise ValueError(
                f"guidance is {self.guidance[0]} and nothing is asked for: give a condition, for "
                f"example condition.{(self.conditions.names or ('age',))[0]}=..."
            )

    @property
    def asks(self) -> bool:
        """True where any sample is asked to be anything."""
        return any(self.rows) or bool(self.population)

    @property
    def led(self) -> bool:
        """True where each step takes two network calls, as guidance needs of a flow that was not
        trained with it.
        """
        return self.flow and self.conditions.guidance == 1 and self.guidance[0] != 1

    def row(self, number: int) -> Row:
        """Return what sample `number` is asked to be."""
        if self.population and not any(self.rows):
            chance = generator(Purpose.POPULATION, self.seed, number)
            return self.population[int(torch.randint(len(self.population), (), generator=chance))]
        return self.rows[0] if len(self.rows) == 1 else self.rows[number]

    def condition(self, number: int) -> Condition | None:
        """Return the condition of one sample, tensors (1, ...)."""
        return self.conditions.condition([self.row(number)], OFF if self.led else self.guidance)

    def sidecar(self, number: int) -> dict[str, Any]:
        """Return what a sample's sidecar says of it; nothing where nothing was asked for."""
        row = self.row(number)
        if not row:
            return {}
        values = {
            v.name: row[v.name] if v.values else v.read(row[v.name])
            for v in self.conditions.variables
            if v.name in row and not math.isnan(v.read(row[v.name]))
        }
        w, first, last = self.guidance
        guided = {"Guidance": w, "GuidanceInterval": [first, last]} if w != 1 else {}
        return {"Conditions": values} | guided

    @property
    def warnings(self) -> list[str]:
        """What is asked for and lies outside the training data, in words; each once."""
        said = [text for row in self.rows for text in self.conditions.outside(row)]
        return list(dict.fromkeys(said))


NOTHING = Asked()


def asked(
    conditions: Conditions,
    condition: Mapping[str, Any] | None = None,
    table: str = "",
    guidance: float = 1.0,
    interval: Sequence[float] = OFF[1:],
    flow: bool = False,
    population: Sequence[Row] = (),
    seed: int = 0,
) -> Asked:
    """Return what is asked of a model: one condition for every sample, or a table (CSV, TSV) with
    a row a sample, whose other columns play no part; `condition` then fills what a row leaves
    empty. `flow` says that guidance may take a second network call. Where nothing is asked, each
    sample is as one of the `population`, drawn by the seed. Raises ValueError or FileNotFoundError
    where that cannot be.
    """
    fixed = {name: as_text(value) for name, value in (condition or {}).items()}
    rows: tuple[Row, ...] = (fixed,)
    if table:
        rows = tuple(fixed | row for row in table_rows(table, conditions))
    if len(interval) != len(OFF) - 1:
        raise ValueError(f"guidance_interval is {list(interval)}: the first and the last t")
    scale = (float(guidance), float(interval[0]), float(interval[1]))
    return Asked(conditions, rows, scale, flow, tuple(population), seed)


def table_rows(table: str, conditions: Conditions) -> list[Row]:
    """Return the rows of a table with the columns that a model knows, empty cells left out."""
    path = local_path(table)
    if not path.is_file():
        raise FileNotFoundError(f"table={table}: no such file: a CSV or TSV, with a row a sample")
    columns, rows = read_table(path)
    names = [name for name in conditions.names if name in columns]
    if not names:
        raise ValueError(
            f"table={table} has the columns {', '.join(columns)}, none of this model's conditions: "
            f"{', '.join(conditions.names) or 'it has none'}"
        )
    if not rows:
        raise ValueError(f"table={table} has no row: one a sample is needed")
    return [{name: row[name] for name in names if row[name]} for row in rows]


def as_text(value: Any) -> str:
    """Return a value as a table has it; None is missing."""
    return "" if value is None else str(value)
