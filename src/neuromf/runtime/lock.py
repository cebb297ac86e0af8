"""One run per folder: a lock that is released when its process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import platform
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import msvcrt
except ImportError:  # everywhere else
    msvcrt = None  # type: ignore[assignment]

log = logging.getLogger("neuromf")
BUSY = (errno.EACCES, errno.EAGAIN)
FAR = 2**30  # the byte that is locked on Windows, where what is locked cannot be read
WAIT = 1.0  # seconds in which somebody who only looks has let go
# struct flock of a system for `struct`, and the place of l_type among its fields
FLOCK = {"linux": ("hhqqi4x", 0), "darwin": ("qqihh", 3)}.get(sys.platform)
_held: set[Path] = set()  # of this process: the system's locks are a process's, not a thread's


class LockedError(FileExistsError):
    """A folder that another run is writing."""


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the folder for this process while the body runs. Raises LockedError where
    somebody else has it.

    The locks are POSIX record locks, or on Windows those of its C library. They work over NFS, and
    forked workers do not inherit them, so a run can be resumed as soon as its first process has
    been killed. A file system without locks is used all the same, with a warning in the log.
    """
    own = folder.resolve()
    if own in _held:
        raise LockedError(f"{folder} is being written by this very process")
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)

    try:
        _take_or_wait(descriptor, folder)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {platform.node()}".encode())
        _held.add(own)
        try:
            yield
        finally:
            _held.discard(own)
    finally:
        os.close(descriptor)  # which ends the lock


def is_locked(folder: Path) -> bool:
    """Return True where a run is writing the folder; False where the file system has no locks."""
    if folder.resolve() in _held:
        return True
    try:
        descriptor = os.open(folder / ".lock", os.O_RDWR)
    except OSError:
        return False
    try:
        return _is_held(descriptor, folder)
    finally:
        os.close(descriptor)


def _is_held(descriptor: int, folder: Path) -> bool:
    """Ask whether another process has a lock: taking it for a moment would refuse a run that starts
    in that moment. Only where the system cannot be asked, it is taken; `lock` tries again there.
    """
    if fcntl is not None and FLOCK is not None:
        layout, kind = FLOCK
        fields = [0] * 5
        fields[kind] = fcntl.F_WRLCK  # would a lock of the whole file be given?
        try:
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, struct.pack(layout, *fields))
        except OSError:  # a file system without locks
            return False
        return bool(struct.unpack(layout, answer)[kind] != fcntl.F_UNLCK)
    try:
        _take(descriptor, folder)
    except LockedError:
        return True
    return False


def _take_or_wait(descriptor: int, folder: Path) -> None:
    """Take a lock. Where looking at one takes it for a moment, try for a while."""
    end = time.monotonic() + (WAIT if fcntl is None or FLOCK is None else 0)
    while True:
        try:
            return _take(descriptor, folder)
        except LockedError:
            if time.monotonic() >= end:
                raise
            time.sleep(WAIT / 20)


def _take(descriptor: int, folder: Path) -> None:
    try:
        _lock(descriptor)
    except OSError as error:
        if error.errno in BUSY:
            os.lseek(descriptor, 0, os.SEEK_SET)
            holder = os.read(descriptor, 200).decode(errors="replace") or "another run"
            raise LockedError(
                f"{folder} is being written by {holder}: wait for it, or choose another out=FOLDER"
            ) from None
        log.warning(
            "%s: the file system has no locks (%s): start no second run there",
            folder,
            error.strerror,
        )


def _lock(descriptor: int) -> None:
    """Lock an open file for this process as the system can. Raises OSError if another has it."""
    if fcntl is not None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    elif msvcrt is not None:
        os.lseek(descriptor, FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)
