"""A table of the FOMO-60K scans of one contrast for `neuromf prepare`.

python recipes/fomo60k.py FOLDER fomo.csv [t1]

FOLDER holds DATASET/sub_N/ses_N/t1.nii.gz and, beside the data sets or in each of them,
participants.tsv with the columns participant_id, age and sex where they are known. People of
different data sets are different people.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PLACE = re.compile(r"(?P<dataset>[^/]+)/(?P<subject>sub_[^/]+)/(?P<session>ses_[^/]+)\Z")
COLUMNS = ("path", "subject", "session", "dataset", "age", "sex")


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
        for place in (own, own.parent):
            sheets.setdefault(place, people(place / "participants.tsv"))
        name = found["subject"]
        age, sex = sheets[own].get(name) or sheets[own.parent].get(name) or ("", "")
        subject = f"{found['dataset']}-{name}".replace("_", "")
        session = found["session"].replace("_", "")
        values = (str(path.resolve()), subject, session, found["dataset"], age, sex)
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
    with Path(words[1]).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    print(f"{words[1]}: {len(rows)} scans of {len({r['subject'] for r in rows})} people")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
