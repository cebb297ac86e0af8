import os
import subprocess
import sys

import pytest

from neuromf.runtime.lock import LockedError, lock

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
