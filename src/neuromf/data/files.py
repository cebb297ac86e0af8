"""Finding volumes below a folder or by a pattern; recognising our own output and DICOM,
which are no input.
"""

from __future__ import annotations

import glob
import itertools
import logging
import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from neuromf.data.volume import ENDINGS
from neuromf.runtime.folders import local_path
from neuromf.runtime.shell import typed

log = logging.getLogger("neuromf")
LOOKED_AT = 2000  # files of a folder without scans that are examined for DICOM


def folders_below(top: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield a folder and each one below it with the names of its folders and of its files, in the
    order of their names; also through symbolic links, each folder once. Names that the caller takes
    out of the list of folders are not entered.
    """
    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(top, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield here, folders, sorted(files)


def place_in(folder: Path, text: str) -> Path:
    """Return the file that a table in `folder` names; an absolute path stays as it is. Tables
    that were written on Windows separate folders by backslashes.
    """
    path = folder / local_path(text)
    written = PureWindowsPath(text)
    if "\\" not in text or path.exists() or written.anchor:
        return path
    return folder.joinpath(*written.parts)


def volumes_below(folder: Path) -> list[Path]:
    """Return every volume below a folder, also through symbolic links, each folder once."""
    found = []
    for here, folders, files in folders_below(folder):
        if written_by_us(Path(here)):  # its volumes are no scans
            _say_left_out(sum(is_volume(p.name) for p in Path(here).rglob("*")), here)
            folders.clear()
            continue
        folders[:] = [f for f in folders if not f.startswith(".")]
        found += [Path(here) / f for f in files if is_volume(f) and not f.startswith(".")]

    return sorted(found)


def volumes_matching(pattern: str) -> list[Path]:
    """Return the volumes that a pattern matches, without those in folders that a run wrote.

    Only folders from the pattern's first * on are examined: a run in a folder above says nothing
    about the scans below it.
    """
    plain = list(itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    found = [Path(p) for p in sorted(glob.glob(pattern, recursive=True)) if is_volume(p)]
    ours: dict[Path, int] = {}
    scans = []

    for path in found:
        below = path.parents[: len(path.parts) - len(plain)]
        folder = next((f for f in below if written_by_us(f)), None)
        if folder is None:
            scans.append(path)
        else:
            ours[folder] = ours.get(folder, 0) + 1

    for folder, count in ours.items():
        _say_left_out(count, str(folder))
    if found and not scans:
        raise FileNotFoundError(
            f"{pattern}: was written by neuromf; give the scans that it was made from"
        )

    return scans


def written_by_us(folder: Path) -> bool:
    """Return True if a run wrote the folder."""
    return (folder / "run.json").is_file() and (folder / "config.yaml").is_file()


def _say_left_out(count: int, folder: str) -> None:
    if count:
        log.warning("%s: %d volumes that neuromf wrote there are left out", folder, count)


def is_volume(name: str) -> bool:
    """Return True if the file's name has the ending of a volume."""
    return name.lower().endswith(ENDINGS)


def convert_dicom(path: Path) -> str:
    """Return a sentence on how to convert DICOM."""
    folder = path if path.is_dir() else path.parent
    told = typed("neuromf", "import-dicom", f"input={folder}", "out=FOLDER")
    return f"make NIfTI of it: {told}, then input=FOLDER"


def is_dicom(path: Path) -> bool:
    """Return True if the file is DICOM, by its name or by the four letters after its preamble."""
    if not path.is_file():
        return False
    if path.suffix.lower() in {".dcm", ".dicom", ".ima"}:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def first_dicom(folder: Path, pattern: str) -> Path | None:
    """Return a DICOM file below a folder, or among the files that a pattern matches."""
    if folder.is_dir():
        files = (Path(here) / name for here, _, names in os.walk(folder) for name in names)
    else:
        files = (Path(p) for p in glob.iglob(os.path.expanduser(pattern), recursive=True))
    return next((path for path in itertools.islice(files, LOOKED_AT) if is_dicom(path)), None)
