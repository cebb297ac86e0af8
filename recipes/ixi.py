"""A table of the IXI scans for `neuromf prepare`.

python recipes/ixi.py FOLDER ixi-scans.csv [IXI.csv]

FOLDER holds IXI002-Guys-0828-T1.nii.gz and so on; IXI.csv is the sheet IXI.xls of the data set,
saved as CSV, with the columns IXI_ID, SEX_ID (1 male, 2 female) and AGE. The hospital, which is the
scanner, becomes the data set, so that splits are stratified by it.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

NAME = re.compile(r"IXI(\d+)-([A-Za-z]+)-\d+-T1\.nii(\.gz)?\Z")
SEX = {"1": "M", "2": "F"}
COLUMNS = ("path", "subject", "dataset", "age", "sex")


def people(sheet: Path) -> dict[int, tuple[str, str]]:
    """Return age and sex by number; empty texts where the sheet does not know them."""
    with sheet.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    sex = next((c for c in rows[0] if c.startswith("SEX_ID")), "SEX_ID") if rows else "SEX_ID"
    return {
        int(float(row["IXI_ID"])): (row["AGE"].strip(), SEX.get(row[sex].strip()[:1], ""))
        for row in rows
        if row["IXI_ID"].strip()
    }


def table(folder: Path, known: dict[int, tuple[str, str]]) -> Iterator[dict[str, str]]:
    """Yield a row for each T1w scan of a folder."""
    for path in sorted(folder.rglob("IXI*-T1.nii*")):
        found = NAME.match(path.name)
        if found:
            age, sex = known.get(int(found[1]), ("", ""))
            subject = f"IXI{found[1]}"
            yield dict(
                zip(COLUMNS, (os.path.abspath(path), subject, found[2], age, sex), strict=True)
            )


def main(words: list[str]) -> int:
    """Write the table."""
    if len(words) not in {2, 3}:
        print(__doc__, file=sys.stderr)
        return 2
    known = people(Path(words[2])) if len(words) == 3 else {}
    rows = list(table(Path(words[0]), known))
    if not rows:
        print(f"{words[0]}: no IXI*-T1.nii.gz below it", file=sys.stderr)
        return 1
    try:
        with Path(words[1]).open("x", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    except FileExistsError:
        print(f"{words[1]}: is there already; name another file", file=sys.stderr)
        return 1
    print(f"{words[1]}: {len(rows)} scans, age of {sum(bool(r['age']) for r in rows)} known")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
