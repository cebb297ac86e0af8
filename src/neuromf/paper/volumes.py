"""Volumes that figures show: held-out people, generated samples, pairs with their lesion mask."""

from __future__ import annotations

from pathlib import Path

from neuromf.data.cohort import Entry, read_cohort
from neuromf.paper.missing import MissingError
from neuromf.paper.sources import Given, finished_run, reading

HELD_OUT = ("test", "val")  # splits, in the order in which people are shown
SAMPLES = "*_desc-generated_*.nii.gz"
MASK = "_label-lesion_"  # in the name of a generated mask


def held_out(given: Given, names: tuple[str, ...], n: int) -> list[Entry]:
    """Return the named volumes of a cohort, or the first n held-out ones.

    Raises MissingError for another folder, an unknown name, or where nobody is held out.
    """
    with reading(given):
        entries = read_cohort(given.path)
    if names:
        by_name = {entry.name: entry for entry in entries}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise MissingError(given.key, f"{given.text} has no volume {unknown[0]}")
        return [by_name[name] for name in names]

    found = [e for split in HELD_OUT for e in entries if e.split == split]
    if not found:
        raise MissingError(given.key, f"{given.text} holds nobody out: no volume is in test or val")
    return found[:n]


def generated(given: Given) -> list[Path]:
    """Return the volumes that generate wrote into a folder, in order.

    Raises MissingError for a folder of something else, or one that is not finished.
    """
    finished_run(given, "generate")
    found = [path for path in sorted(given.path.rglob(SAMPLES)) if MASK not in path.name]
    if not found:
        raise MissingError(given.key, f"{given.text} holds no generated volume")
    return found
