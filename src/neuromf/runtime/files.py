"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
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
    """Raise `outcome` if it is an error of the disk written to: no item's fault, so the
    run stops, and can be resumed later.
    """
    if isinstance(outcome, OSError) and outcome.errno in DISK:
        raise outcome
