"""Volumes from files for the viewer of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuromf.data.reading import read_volume
from neuromf.data.volume import VolumeError, stems
from neuromf.reporting.viewer import Shown, shown


def shown_files(files: Mapping[str, Path]) -> list[Shown]:
    """Return the volumes of some files by the names that a page gives them; those that cannot be
    read are left out.
    """
    found = []
    for name, path in files.items():
        try:
            found.append(shown(name, read_volume(path)))
        except (OSError, VolumeError):
            continue
    return found


def first_of_each(sets: Mapping[str, Sequence[Path]], n: int) -> dict[str, Path]:
    """Return the first n files of each set, by set and name: the first of every set, then the
    second ones.
    """
    names = {name: stems(paths[:n]) for name, paths in sets.items()}
    return {
        f"{name}: {names[name][i]}": paths[i]
        for i in range(n)
        for name, paths in sets.items()
        if i < len(paths)
    }
