"""A table of the FOMO-60K scans of one contrast for `neuromf prepare`.

python recipes/fomo60k.py FOLDER fomo.csv [t1]

FOLDER holds DATASET/sub_N/ses_N/t1.nii.gz. Age and sex are those of DATASET/participants.tsv
(columns participant_id, age, sex), where there is one. People of different data sets are different
people, so a sheet for all data sets, which cannot tell sub_1 of one from sub_1 of another, is not
read.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PLACE = re.compile(r"(?P<dataset>[^/]+)/(?P<subject>sub_[^/]+)/(?P<session>ses_[^/]+)\Z")
COLUMNS = ("path", "subject", "session", "dataset", "contrast", "age", "sex")
SUFFIXES = {"t1": "T1w", "t2": "T2w", "flair": "FLAIR"}  # BIDS's


def people(sheet: Path) -> dict[str, tuple[str, str]]:
    """Return age and sex by participant; none without a sheet."""
    if not sheet.is_file():
        return {}
    with sheet.open(newline="", encoding="utf-8-sig") as file:
        return {
            row["participant_id"].strip(): (row.get("age") or "", row.get("sex") or "")
            for row in csv.DictReader(file, delimiter="\t")
        }


def table(folder: Path, contrast: str) -> Iterator[dict[str, str]]:
    """Yield a row for each scan of a contrast: t1, t2, flair."""
    sheets: dict[Path, dict[str, tuple[str, str]]] = {}
    for path in sorted(folder.rglob(f"{contrast}.nii.gz")):
        found = PLACE.search(path.parent.as_posix())
        if not found:
            continue
        own = path.parents[2]
        if own not in sheets:
            sheets[own] = people(own / "participants.tsv")
        name = found["subject"]
        age, sex = sheets[own].get(name, ("", ""))
        subject = f"{found['dataset']}-{name}".replace("_", "")
        session = found["session"].replace("_", "")
        place = (os.path.abspath(path), subject, session, found["dataset"])
        values = (*place, SUFFIXES.get(contrast, contrast), age, sex)
        yield dict(zip(COLUMNS, values, strict=True))


def main(words: list[str]) -> int:
    """Write the table."""
    if len(words) not in {2, 3}:
        print(__doc__, file=sys.stderr)
        return 2
    contrast = words[2] if len(words) == 3 else "t1"
    rows = list(table(Path(words[0]), contrast))
    if not rows:
        print(f"{words[0]}: no DATASET/sub_N/ses_N/{contrast}.nii.gz below it", file=sys.stderr)
        return 1
    try:
        with Path(words[1]).open("x", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    except FileExistsError:
        print(f"{words[1]}: is there already; name another file", file=sys.stderr)
        return 1
    print(f"{words[1]}: {len(rows)} scans of {len({r['subject'] for r in rows})} people")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
