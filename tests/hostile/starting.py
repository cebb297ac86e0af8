"""The command line in a process of its own that can be killed: forked off a server that has imported everything."""

import contextlib
import multiprocessing
import os
import pkgutil
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import neuromf

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload([m.name for m in pkgutil.walk_packages(neuromf.__path__, "neuromf.")])
PATIENCE = 240  # seconds until a run counts as hanging


class Started:
    """A run of the command line: words in, exit code and what it said out."""

    def __init__(self, words: Sequence[object], cwd: Path, die_at: int = 0) -> None:
        self.words, self.cwd = [str(w) for w in words], cwd
        self.said = cwd / f"said-{time.monotonic_ns()}.txt"
        self.process = SERVER.Process(
            target=_child, args=(self.words, str(cwd), str(self.said), die_at)
        )
        self.process.start()

    def wait(self) -> tuple[int, str]:
        """Return the exit code, minus the signal's number where one ended it, and stdout and stderr together."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            raise AssertionError(f"neuromf {' '.join(self.words)} hangs")
        return self.process.exitcode, self.said.read_text(
            errors="replace"
        ) if self.said.is_file() else ""

    def signal_at(self, path: Path, seconds: float, number: int) -> None:
        """Send a signal so many seconds after a file has appeared; none where the run has ended by then."""
        until = time.monotonic() + PATIENCE
        while self.process.is_alive() and not path.exists() and time.monotonic() < until:
            time.sleep(0.005)
        self.process.join(seconds)
        if self.process.is_alive():
            os.kill(self.process.pid, number)


def called(words: Sequence[object], cwd: Path, die_at: int = 0) -> tuple[int, str]:
    """Run the command line to its end."""
    return Started(words, cwd, die_at).wait()


def _child(words: list[str], cwd: str, said: str, die_at: int) -> None:
    import torch

    from neuromf import cli

    os.setsid()
    os.chdir(cwd)
    descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout.reconfigure(line_buffering=True)
    torch.set_num_threads(1)
    if die_at:
        _die_at(die_at)
    sys.argv = ["neuromf", *words]
    cli.main()


def _die_at(count: int) -> None:
    """Let this process be killed right before its so many-th renaming or deletion of a file."""
    left = [count]

    def counted(function):
        def wrapped(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return wrapped

    for name in ("replace", "rename", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))


@contextlib.contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[None]:
    """Mount a file system of so many kB at a new folder. Raises PermissionError where that is not allowed."""
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        raise PermissionError("only root may mount a small file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", place],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        raise PermissionError(made.stderr.decode())
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def enlarge(place: Path, kilobytes: int) -> None:
    """Make room on such a file system."""
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", place], check=True)
