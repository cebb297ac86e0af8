"""CSV tables that appear whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from neuromf.runtime.files import atomic

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


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns of a CSV or TSV table, in lower case, and its rows; a
    cell that is missing is empty.

    Raises ValueError for what is no table, with the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not UTF-8: save the table as UTF-8") from None

    if "\0" in text:
        raise ValueError(
            f"{path}: holds NUL bytes, so it is no text in UTF-8: save the table again"
        )

    with io.StringIO(text, newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
        try:
            columns = [c.strip().lower() for c in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [{c: (row[c] or "").strip() for c in columns} for row in reader]
        except csv.Error as error:
            raise ValueError(
                f"{path}, line {reader.line_num}: not readable as a table ({error}): is a "
                "quotation mark missing?"
            ) from None

    return columns, rows
