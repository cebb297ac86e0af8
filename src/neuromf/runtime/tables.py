"""CSV tables that appear whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from neuromf.runtime.run import atomic

REJECTED = ("path", "subject", "reason")  # columns of rejected.csv


def write_table(
    path: Path, rows: Sequence[Mapping[str, object]], columns: Iterable[str] = ()
) -> None:
    """Write rows as CSV, whole or not at all: `columns`, then the rows' other keys;
    empty where a row lacks one.
    """
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(
            stream, list(dict.fromkeys([*columns, *(key for row in rows for key in row)]))
        )
        writer.writeheader()
        writer.writerows(rows)
