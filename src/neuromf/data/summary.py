"""What `neuromf prepare` prints when it is done."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median
from typing import Any

from neuromf.data.intensity import SPREAD, data_set_medians
from neuromf.data.scan import Scan
from neuromf.data.splits import SPLITS, Split, SplitConfig, person, spellings

FEWEST_HELD_OUT = 5  # held-out volumes below which evaluation gives no intervals


def report(
    out: Path,
    records: list[dict[str, Any]],
    duplicates: list[tuple[Scan, str]],
    rejected: list[tuple[Scan, str]],
    splits: dict[str, Split],
    shares: SplitConfig,
) -> None:
    """Print what was done."""
    people = {person(subject): split for subject, split in splits.items()}
    counts: dict[str, int] = {name: list(people.values()).count(name) for name in SPLITS}
    dealt = ", ".join(f"{n} {name}" for name, n in counts.items())
    print(
        f"{len(records)} volumes of {len(people)} subjects ({dealt}) in {out}; look at "
        f"{out / 'contact.png'}"
    )
    methods = [
        r["strip"]["method"] if not r["strip"].get("stripped_already") else "stripped already"
        for r in records
    ]
    print("brains: " + ", ".join(f"{methods.count(m)} {m}" for m in dict.fromkeys(methods)))
    print_lesions(records)
    empty = [
        name
        for name, share in (("val", shares.val), ("test", shares.test))
        if share and not counts[name]
    ]
    if empty:
        print(
            "too few subjects for a share of "
            f"{' and '.join(empty)}: split.{empty[0]}=0.5, for example"
        )
    if shares.test and counts["test"] < FEWEST_HELD_OUT:
        print(f"{counts['test']} test: {_few_held_out(len(people))}")
    medians = data_set_medians(records)
    if len(medians) > 1 and max(medians.values()) - min(medians.values()) >= SPREAD:
        found = ", ".join(f"{name} {median:.2f}" for name, median in medians.items())
        print(
            f"data sets differ in their median intensity in the brain: {found}; "
            f"{_harmonised(records)}"
        )
    noted = sum(bool(r["notes"]) for r in records)
    if noted:
        print(f"{noted} with a note: see run.log, or `notes` in their .json")
    for names in spellings(splits):
        print(f"{', '.join(names)}: taken for one person (capitals make no difference)")
    files: dict[str, list[str]] = {}
    for record in records:
        files.setdefault(str(record["source_sha256"][0]), []).append(str(record["name"]))
    twins = [names for names in files.values() if len(names) > 1]
    if twins:
        print(
            f"one file under several names: {', '.join(sorted(twins[0]))}: one person? "
            f"({len(twins)} such files)"
        )
    if duplicates:
        print(
            f"{len(duplicates)} left out as second scans of a subject and session: see "
            f"{out / 'rejected.csv'}"
        )
    if rejected:
        print(f"{len(rejected)} rejected: see {out / 'rejected.csv'}; the first: {rejected[0][1]}")


def print_lesions(records: list[dict[str, Any]]) -> None:
    """Print how many volumes have a lesion mask, and how large the lesions are; nothing where none
    has one.
    """
    found = [r["lesion_ml"] for r in records if "lesion_ml" in r]
    if not found:
        return

    empty = found.count(0)
    without = len(records) - len(found)
    print(
        f"lesions: {len(found)} with a mask, {without} without; median {median(found):.3g} ml, "
        f"{min(found):.3g} to {max(found):.3g}"
    )
    if empty:
        print(f"{empty} with an empty lesion mask: taken for brains without lesions; are they?")


def _harmonised(records: list[dict[str, Any]]) -> str:
    if all(record["intensity"]["scaled_to"] == "percentile" for record in records):
        return "preprocessing.intensity=grey-white brings T1w closer together"
    return "what is left is how they differ in contrast and in fluid"


def _few_held_out(people: int) -> str:
    """Return a warning if there are few held-out people, with the share that would suffice."""
    share = math.ceil(100 * FEWEST_HELD_OUT / people) / 100
    meaning = f"below {FEWEST_HELD_OUT} volumes an evaluation gives figures without intervals"
    if share > 0.5:
        return (
            f"{meaning}; {people} people are too few to hold "
            f"{FEWEST_HELD_OUT} out and to train: add scans"
        )
    return (
        f"{meaning}; split.test={share:g} in a new folder holds "
        f"{math.ceil(share * people)} of {people} people out"
    )
