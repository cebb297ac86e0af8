import errno
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from neuromf.runtime import lock as module
from neuromf.runtime.lock import LockedError, is_locked, lock

TRY = """
from pathlib import Path
from neuromf.runtime.lock import lock
with lock(Path({folder!r})):
    print("held")
"""


def start(folder):
    done = subprocess.run(
        [sys.executable, "-c", TRY.format(folder=str(folder))],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout, done.stderr


def test_one_process_at_a_time(tmp_path):
    with lock(tmp_path):
        said, error = start(tmp_path)
        assert not said
        assert f"is being written by process {os.getpid()} on" in error
        with pytest.raises(LockedError, match="this very process"), lock(tmp_path):
            pass
        assert not start(tmp_path)[0]  # the refusal above did not let go
    assert start(tmp_path)[0] == "held\n"


def test_windows_locks_a_byte_that_nobody_reads(tmp_path, monkeypatch):
    """Its C library locks from where the file stands, and keeps others from reading there."""
    taken = []

    def locking(descriptor, mode, length):
        where = os.lseek(descriptor, 0, os.SEEK_CUR)
        if where in taken:
            raise PermissionError(errno.EACCES, "locked")
        taken.append(where)

    monkeypatch.setattr(module, "fcntl", None)
    monkeypatch.setattr(module, "WAIT", 0.1)
    monkeypatch.setattr(module, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.delattr(os, "pread")
    with lock(tmp_path):
        assert taken == [module.FAR]
        monkeypatch.setattr(module, "_held", set())  # as another process sees it
        assert is_locked(tmp_path)
        with pytest.raises(LockedError, match=f"by process {os.getpid()} on"), lock(tmp_path):
            pass
    assert (tmp_path / ".lock").stat().st_size < 300


def test_a_forked_worker_does_not_keep_the_lock(tmp_path):
    read, write = os.pipe()
    with lock(tmp_path):
        child = os.fork()
        if child == 0:
            os.read(read, 1)  # until the parent has let go
            os._exit(0)
    try:
        assert start(tmp_path)[0] == "held\n"
    finally:
        os.write(write, b"x")
        os.waitpid(child, 0)


LOOK = """
import sys
from pathlib import Path
from neuromf.runtime.lock import is_locked
print("looking", flush=True)
while True:
    is_locked(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("asks", [True, False])
def test_looking_refuses_no_run(tmp_path, monkeypatch, asks):
    """Another process looks all the time. Where the system cannot be asked, a start waits."""
    code = (
        LOOK
        if asks
        else LOOK.replace("print", "from neuromf.runtime import lock; lock.FLOCK = None; print")
    )
    looker = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    if not asks:
        monkeypatch.setattr(module, "FLOCK", None)
    try:
        (tmp_path / ".lock").touch()
        assert looker.stdout.readline() == b"looking\n"
        end = time.monotonic() + 1
        while time.monotonic() < end:
            with lock(tmp_path):
                pass
        assert looker.poll() is None
    finally:
        looker.kill()
        looker.communicate()


def test_a_lock_of_another_process_is_seen(tmp_path):
    look = "import sys; from pathlib import Path; from neuromf.runtime.lock import is_locked; print(is_locked(Path(sys.argv[1])))"

    def seen():
        words = [sys.executable, "-c", look, str(tmp_path)]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    assert seen() == "False"
    with lock(tmp_path):
        assert seen() == "True"
        assert not start(tmp_path)[0]
    assert seen() == "False"
