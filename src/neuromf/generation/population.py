"""The conditions of the people in a training, kept with its model: a sample for which no condition
is given takes those of one of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from neuromf.generation.asked import Row, table_rows
from neuromf.generation.model import POPULATION
from neuromf.nets.variables import Conditions
from neuromf.runtime.tables import write_table


def read_population(folder: Path, conditions: Conditions) -> tuple[Row, ...]:
    """Return the rows of a model folder's population, none where it has none. Raises ValueError
    for a table that is not of this model's conditions.
    """
    path = folder / POPULATION
    if not conditions.names or not path.is_file():
        return ()
    try:
        rows = tuple(table_rows(str(path), conditions))
        conditions.condition(rows)
    except ValueError as error:
        raise ValueError(f"{path}: not of this model ({error}): copy the folder again") from None
    return rows


def population_of(conditions: Conditions, people: Iterable[Mapping[str, str]]) -> list[Row]:
    """Return the conditions of people that a model takes, sorted, so that their order says nothing
    about the people. Those of whom nothing is known are left out, and a category that is not in the
    training data counts as missing.
    """
    rows = []
    for person in people:
        texts = {v.name: person[v.name].strip() for v in conditions.variables}
        known = {
            v.name: ""
            if (v.values and texts[v.name] not in v.values) or math.isnan(v.read(texts[v.name]))
            else texts[v.name]
            for v in conditions.variables
        }
        if any(known.values()):
            rows.append(known)
    return sorted(rows, key=lambda row: list(row.values()))


def write_population(folder: Path, rows: Sequence[Row]) -> None:
    """Write what `population_of` returned into a model folder."""
    write_table(folder / POPULATION, rows)
