"""Scans of a BIDS tree."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from neuromf.data.bids_lesions import with_lesions
from neuromf.data.files import folders_below, is_volume
from neuromf.data.scan import NAMED, Scan
from neuromf.data.volume import stem
from neuromf.runtime.tables import read_table

log = logging.getLogger("neuromf")
VERSION = "1.10.0"  # of BIDS, that what we write follows


def is_bids(path: Path) -> bool:
    """Return True if a folder describes itself as BIDS, or has the folders of a BIDS tree."""
    return (
        (path / "dataset_description.json").is_file()
        or any(path.glob("sub-*/anat"))
        or any(path.glob("sub-*/ses-*/anat"))
    )


def bids_scans(root: Path, contrast: str) -> Iterator[Scan]:
    """Yield every anatomical scan of a contrast, with what participants.tsv
    says about its subject, and with its lesion mask if the tree holds one.
    """
    yield from with_lesions(root, list(_images(root, contrast)))


def _images(root: Path, contrast: str) -> Iterator[Scan]:
    dataset = _dataset_name(root)
    table = root / "participants.tsv"
    people = {row["participant_id"]: row for row in _participants(table)} if table.is_file() else {}
    ending = f"_{contrast}".casefold()

    for top in sorted(root.glob("sub-*")):
        person = {k: v for k, v in people.get(top.name, {}).items() if v and v != "n/a"}
        for here, _, names in folders_below(top.absolute()):
            if os.path.basename(here) != "anat":
                continue
            for name in names:
                hidden = name.startswith(".")  # ._NAME: what macOS leaves on other disks
                named = stem(Path(name)).casefold().endswith(ending)
                if hidden or not is_volume(name) or not named:
                    continue
                match = NAMED.match(name)
                yield Scan(
                    os.path.abspath(os.path.join(here, name)),
                    top.name,
                    (match and match["session"]) or "",
                    dataset=dataset,
                    group=person.get("group") or person.get("diagnosis") or "",
                    age=person.get("age", ""),
                    sex=person.get("sex") or person.get("gender") or "",
                    contrast=contrast,
                    site=person.get("site") or person.get("scanner") or "",
                )


def _dataset_name(root: Path) -> str:
    """Return the name that a BIDS tree gives itself, or its folder's name."""
    path = root / "dataset_description.json"
    if not path.is_file():
        return root.name
    try:
        name = json.loads(path.read_text(encoding="utf-8")).get("Name") or root.name
    except (ValueError, AttributeError, RecursionError):
        log.warning(
            "%s: no JSON object: the data set is called %s, after its folder", path, root.name
        )
        return root.name
    return str(name)


def _participants(table: Path) -> list[dict[str, str]]:
    columns, rows = read_table(table)
    if "participant_id" not in columns:
        log.warning("%s: has no column participant_id, so nothing is known of its people", table)
        return []
    return [row for row in rows if row["participant_id"]]
