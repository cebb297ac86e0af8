"""Files of somebody's own, and of earlier starts, that lie where a run is to write."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from neuromf.data.volume import VolumeError, volume_sha256
from neuromf.runtime.folders import RUN, written_down
from neuromf.runtime.records import read_json_object


def refuse_replacing(record: Path, files: Iterable[Path]) -> None:
    """Raise VolumeError where the run under way is to replace one of `files`, or their `record`,
    and no run wrote it: it is neither in files.txt nor what the record says.

    Outside of a run, whoever calls answers for the folder.
    """
    folder = os.environ.get(RUN)
    there = [p for p in (*files, record) if os.path.lexists(p)]
    if not there or folder is None or not record.absolute().is_relative_to(folder):
        return
    listed = written_down(Path(folder))
    recorded = _recorded(record)
    for path in there:
        ours = path.absolute().relative_to(folder).as_posix() in listed
        # copied from another folder together with its record
        known = bool(recorded) if path == record else _sha256(path) in recorded
        if not (ours or known):
            raise VolumeError(
                f"{path}: was not written by neuromf, and would be replaced: move it out of the "
                "folder and use --resume again; a lesion mask of your own belongs in the column "
                "`lesion` of a table"
            )


def _recorded(record: Path) -> set[str]:
    """Return the SHA-256 that a record gives, none where it is no record of ours."""
    try:
        found = read_json_object(record)
    except (OSError, ValueError):
        return set()
    given = (found.get(key) for key in ("sha256", "lesion_sha256"))
    return {text for text in given if isinstance(text, str)}


def _sha256(path: Path) -> str:
    return volume_sha256(path) if path.is_file() else ""
