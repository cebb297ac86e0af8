"""Whose a run's folder is: which files a verb writes, and what else lies there."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

RUN = "NEUROMF_RUN"  # environment variable: the folder of the run that a process works for
FILES = "files.txt"  # what a run has written, one path a line, relative to its folder
REPLACED = ".replaced"  # where the files of an earlier run wait until the new one is complete
# what a run writes before it has done anything
START = {"config.yaml", "run.json", "run.log", FILES}
COMMON = ("config.yaml", "run.json", "run.log", ".lock", FILES)  # of every run
DROPPINGS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # left by file browsers
TEMPORARY = re.compile(r"^\..*\.[0-9a-f]{16}\.tmp(\..+)?$")  # see `temporary_name`
SHOWN = 3  # files that an error names
_noted: set[tuple[str, str]] = set()  # folder and name of what this process wrote down
LONGEST_STEM = 60  # characters of a name that its temporary name repeats: names end at 255


@dataclass(frozen=True)
class Output:
    """What a verb writes into its folder: patterns of paths; `*` stands within one name, a
    last `**` for anything below.
    """

    verb: str
    patterns: tuple[str, ...]
    loose: tuple[
        str, ...
    ] = ()  # those not written through `files.atomic` but, for example, by other libraries

    def loosely(self, path: str) -> bool:
        """Return True if a path is one that others write for the verb."""
        return any(_matches(path, p) for p in self.loose)

    def writes(self, path: str) -> bool:
        """Return True if a path, relative to the folder, is one that the verb writes."""
        name = PurePosixPath(path).name
        own = (*COMMON, *self.patterns, *self.loose)
        return (
            name in DROPPINGS or bool(TEMPORARY.match(name)) or any(_matches(path, p) for p in own)
        )


def local_path(text: str | Path) -> Path:
    """Return a path with `~` expanded. Raises ValueError where the user has no
    home, as in some containers.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(
            f"{text}: there is no home folder here (HOME is not set): give a full path"
        ) from None


def cache_home() -> Path:
    """Return the folder of what is kept between runs: $NEUROMF_HOME, or ~/.cache/neuromf."""
    given = os.environ.get("NEUROMF_HOME")
    if given:
        return local_path(given)
    try:
        return Path("~/.cache/neuromf").expanduser()
    except RuntimeError:
        raise ValueError(
            "there is no home folder to keep weights and features in (HOME is not set): set "
            "NEUROMF_HOME to a folder"
        ) from None


def temporary_name(path: Path) -> Path:
    """Return an unpredictable hidden name beside `path`, with the same ending."""
    stem = path.name.removesuffix(path.suffix)[:LONGEST_STEM]
    return path.with_name(f".{stem}.{secrets.token_hex(8)}.tmp{path.suffix}")


def refuse_inputs(out: Path, inputs: Iterable[Any], *, overwrite: bool = False) -> None:
    """Raise FileExistsError where the folder `out` is or contains an input, symbolic links
    resolved; with `overwrite` also where it lies in one.

    `inputs` are paths, or lists and mappings of them, as configurations hold them; values that are
    no existing paths (a URL, the name of a model, an empty text) are skipped. Folders below
    `derivatives/` of an input are allowed: BIDS keeps results there.
    """
    place = out.resolve()
    for given in _flat(inputs):
        path = _existing(given)
        if path is None:
            continue
        source = path.resolve()
        inside = (
            overwrite
            and place.is_relative_to(source)
            and "derivatives" not in place.relative_to(source).parts[:-1]
        )
        if place == source:
            how = "is the input"
        elif source.is_relative_to(place):
            how = "holds the input"
        elif inside:
            how = "lies in the input"
        else:
            continue
        raise FileExistsError(
            f"out={out} {how} {given}: choose a folder beside it, out={_beside(path)} for example"
        )


def foreign_files(out: Path, output: Output) -> list[str]:
    """Return the files in `out` that no run of this verb wrote, relative to it.

    A run lists its files before they appear (`note`). Runs of earlier versions did not; for
    them the patterns alone decide.
    """
    listed = _listed(out)
    found = []
    for path in files_below(out):
        relative = path.relative_to(out).as_posix()
        if relative.startswith(f"{REPLACED}/"):
            continue
        own = not listed or relative in listed or path.name in COMMON or output.loosely(relative)
        passing = path.name in DROPPINGS or TEMPORARY.match(path.name)
        if not (passing or (own and output.writes(relative))):
            found.append(relative)
    return sorted(found)


def note(path: Path) -> None:
    """Record in files.txt that the current run, which is this process's or that of the process
    that started it, writes the file `path`.
    """
    folder = os.environ.get(RUN)
    if folder is None or not path.absolute().is_relative_to(folder):
        return
    name = path.absolute().relative_to(folder).as_posix()
    if (folder, name) not in _noted:
        _noted.add((folder, name))
        with (Path(folder) / FILES).open("a", encoding="utf-8") as stream:
            stream.write(f"{name}\n")


def refuse_foreign(out: Path, output: Output) -> None:
    """Raise FileExistsError where `out` holds files that no run of the verb wrote."""
    foreign = foreign_files(out, output)
    if foreign:
        more = f" and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
        raise FileExistsError(
            f"{out} holds files that no `neuromf {output.verb}` wrote "
            f"({', '.join(foreign[:SHOWN])}{more}): move them "
            "elsewhere, or choose another out=FOLDER"
        )


@contextlib.contextmanager
def noting(out: Path, output: Output) -> Iterator[None]:
    """Let `note` write into files.txt of `out` while the body runs, in the
    processes that it starts too.
    """
    if not (out / FILES).exists():  # of an earlier version: the patterns tell what it wrote
        own = [p.relative_to(out).as_posix() for p in files_below(out)]
        listed = "".join(f"{name}\n" for name in own if output.writes(name))
        (out / FILES).write_text(listed, encoding="utf-8", newline="\n")
    before = os.environ.get(RUN)
    _noted.difference_update({known for known in _noted if known[0] == str(out.absolute())})
    os.environ[RUN] = str(out.absolute())
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(RUN, None)
        else:
            os.environ[RUN] = before


def _matches(path: str, pattern: str) -> bool:
    parts, wanted = path.split("/"), pattern.split("/")
    if wanted[-1] == "**":
        wanted.pop()
        parts = parts[: len(wanted)] if len(parts) > len(wanted) else []
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder, and every link, which is not followed."""
    found = []
    for here, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        found += [Path(here) / name for name in (*files, *links)]
    return found


def written_down(folder: Path) -> set[str]:
    """Return what runs in a folder wrote down before they wrote it, relative to the folder."""
    path = folder / FILES
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return {name for name in text.splitlines() if name}


def _listed(out: Path) -> set[str]:
    """Return what runs in `out`, and in folders below it, wrote down."""
    found: set[str] = set()
    for path in (
        p for p in files_below(out) if p.name == FILES and REPLACED not in p.relative_to(out).parts
    ):
        inner = path.parent.relative_to(out)
        found |= {(inner / name).as_posix() for name in written_down(path.parent)}
    return found


def _flat(values: Iterable[Any]) -> list[str]:
    found: list[str] = []
    for value in values:
        if isinstance(value, dict):
            found += _flat(value.values())
        elif isinstance(value, list | tuple):
            found += _flat(value)
        elif value not in ("", None):
            found.append(str(value))
    return found


def _existing(text: str) -> Path | None:
    """Return the path of an input, without the :SPLIT that may follow; None for a URL,
    a name, a glob.
    """
    for candidate in (text, text.rpartition(":")[0]):
        try:
            path = local_path(candidate) if candidate and "://" not in candidate else None
            if path is not None and path.exists():
                return path
        except (ValueError, OSError):  # no home; a name too long to be a file's
            continue
    return None


def _beside(path: Path) -> Path:
    folder = path if path.is_dir() else path.parent
    return (
        folder.with_name(f"{folder.resolve().name}-out")
        if folder.name
        else Path(f"{folder.resolve().name}-out")
    )
