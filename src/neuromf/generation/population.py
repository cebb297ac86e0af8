"""What the people of a training were, kept with its model: a sample of which nothing is asked is
drawn like one of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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


def write_population(
    folder: Path, conditions: Conditions, people: Sequence[Mapping[str, str]]
) -> None:
    """Write what is known of people, sorted, so that their order tells nothing."""
    names = conditions.names
    known = [
        {v.name: "" if math.isnan(v.read(person[v.name])) else person[v.name].strip()
         for v in conditions.variables}
        for person in people
    ]  # fmt: skip
    known.sort(key=lambda row: [row[name] for name in names])
    write_table(folder / POPULATION, [row for row in known if any(row.values())], names)
