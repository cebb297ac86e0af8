"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from neuromf.runtime.folders import note, temporary_name

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # full, over quota, read-only


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all: a temporary name beside it, then a rename."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")  # equal bytes everywhere


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def numbered(names: Iterable[str]) -> list[str]:
    """Return names of files of which no two are one, a and A neither, which macOS and Windows take
    for one: further ones are numbered from 2.
    """
    names = list(names)
    taken: set[str] = set()
    wanted = {name.casefold() for name in names}
    out = []
    for name in names:
        others = (f"{name}-{n}" for n in itertools.count(2))
        free = (o for o in others if o.casefold() not in taken | wanted)
        out.append(next(free) if name.casefold() in taken else name)
        taken.add(out[-1].casefold())
    return out


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary name of the same ending, which becomes `path` if the body
    ends well and is removed if not.
    """
    temporary = temporary_name(path)
    note(path)
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say where
        raise
    finally:
        temporary.unlink(missing_ok=True)


def stop_if_disk(outcome: Any) -> None:
    """Raise `outcome` if it is an error of the disk that is written to. No single item is to
    blame, so the run stops; it can be resumed later.
    """
    if isinstance(outcome, OSError) and outcome.errno in DISK:
        raise outcome
