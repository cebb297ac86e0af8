"""How an earlier run in a folder makes room for the next: what it left half-written is removed,
what is replaced is kept until the new run is complete.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from neuromf.runtime.folders import REPLACED, SHOWN, START, TEMPORARY, files_below
from neuromf.runtime.lock import is_locked


def remove_temporaries(folder: Path) -> None:
    """Remove what killed runs left half-written; the caller holds the folder's lock. Runs below it
    that other processes hold, such as arms whose study was killed, are still writing theirs.
    """
    files = files_below(folder)
    held = _held(folder, files)
    for path in files:
        if TEMPORARY.match(path.name) and not any(path.is_relative_to(run) for run in held):
            path.unlink(missing_ok=True)


def refuse_held(out: Path) -> None:
    """Raise FileExistsError where other processes write folders below `out`: they would go on
    in those that take their place.
    """
    held = [path.relative_to(out).as_posix() for path in _held(out, files_below(out))]
    if held:
        more = f" and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
        raise FileExistsError(
            f"{out}: other processes are writing {', '.join(held[:SHOWN])}{more}: wait for them, "
            f"or stop them (arms of a study: neuromf sweep stop {out})"
        )


def _held(folder: Path, files: Iterable[Path]) -> list[Path]:
    """Return the folders below one that runs of other processes hold, without those within them."""
    locks = {path.parent for path in files if path.name == ".lock"} - {folder}
    found: list[Path] = []
    for place in sorted(locks):
        if not any(place.is_relative_to(outer) for outer in found) and is_locked(place):
            found.append(place)
    return found


def set_aside(out: Path) -> None:
    """Move everything in `out` into a numbered folder below .replaced/. run.json is copied, not
    moved, so that the folder can still be recognised until a new run.json replaces it.

    The folder itself stays: it may be a symbolic link, a mount, or where the user is.
    """
    places = out / REPLACED
    places.mkdir(exist_ok=True)
    number = 1 + max((int(p.name) for p in places.iterdir() if p.name.isdigit()), default=0)
    place = places / str(number)
    place.mkdir()
    for name in sorted(p.name for p in out.iterdir()):
        if name == "run.json":
            shutil.copyfile(out / name, place / name)
        elif name not in {REPLACED, ".lock"}:
            (out / name).rename(place / name)


def remove_start(out: Path) -> None:
    """Delete the files of a start that ended before it had done anything. run.json stays until
    the next start replaces it.
    """
    remove_temporaries(out)
    for name in START - {"run.json"}:
        (out / name).unlink(missing_ok=True)


def remove_replaced(out: Path) -> None:
    """Delete what `set_aside` moved, now that the run that replaces it is complete."""
    if (out / REPLACED).is_dir():
        shutil.rmtree(out / REPLACED)


def say_kept(out: Path) -> None:
    """Tell where the files of the earlier run are, when the one that was to
    replace it did not end well.
    """
    if (out / REPLACED).is_dir():
        print(
            f"the earlier results are kept in {out / REPLACED} until a run is complete",
            file=sys.stderr,
        )
