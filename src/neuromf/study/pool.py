"""Arms of a study on this machine: as many processes at once as there is room for."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil

from neuromf.runtime.config import ConfigError
from neuromf.runtime.parallel import THREADS, cores
from neuromf.study.arm import AGAIN, FAILED, FINISHED, HELD, run_arm
from neuromf.study.config import SweepConfig
from neuromf.study.folder import (
    LINES,
    LOG,
    State,
    arm_folder,
    read_state,
    seen_state,
    write_state,
)

log = logging.getLogger("neuromf")
LOOK = 0.05  # seconds between two looks at the processes
PATIENCE = 1.0  # seconds after which an arm that another process runs is looked at again
ALIKE = 3  # so many arms that fail alike, before any has finished, end the study


@dataclass(frozen=True)
class Share:
    """What each of several arms at once may take of the machine."""

    workers: int
    threads: int

    @classmethod
    def of(cls, config: SweepConfig) -> Share:
        """Return the share that a configuration asks for, or else that of this machine. Raises
        ConfigError where one arm needs more memory than there is.
        """
        allowed = cores()
        workers = config.workers or max(1, allowed // max(config.threads, 1))
        if config.memory_gb:
            free = psutil.virtual_memory().available / 1e9
            if config.memory_gb > free:
                raise ConfigError(
                    f"memory_gb={config.memory_gb:g}: an arm does not fit into the {free:.1f} GB "
                    "that are free here: lower batch, or launch=slurm"
                )
            workers = min(workers, int(free / config.memory_gb))
        return cls(workers, config.threads or max(1, allowed // workers))


class Pool:
    """Runs arms until all have finished or failed, each in a process of its own; `told` is called
    again and again meanwhile. `modules` are what the arms import: where the system can
    fork, once, in the process that the arms are forked from.
    """

    def __init__(
        self,
        folder: Path,
        share: Share,
        retries: int,
        told: Callable[[], None] = lambda: None,
        modules: Iterable[str] = (),
    ) -> None:
        self.folder, self.share, self.retries, self.told = folder, share, retries, told
        self.context = _context(modules)
        self.running: dict[str, BaseProcess] = {}
        self.elsewhere: dict[str, float] = {}  # arms that other processes run: when to look again
        self.failed: dict[str, list[str]] = {}
        self.finished = 0
        self.attempts: dict[str, int] = {}  # of this start

    def run(self, names: Sequence[str]) -> None:
        """Run the arms in order. Raises ValueError where the first ones all fail alike; on any
        exception, processes that run are asked to stop and waited for.
        """
        waiting = deque(names)
        try:
            with threads(self.share.threads):
                self._work(waiting)
        except BaseException:
            self._stop()
            raise

    def _work(self, waiting: deque[str]) -> None:
        while waiting or self.running or self.elsewhere:
            self._start(waiting)
            time.sleep(LOOK)
            self._collect(waiting)
            self.told()

    def _start(self, waiting: deque[str]) -> None:
        while waiting and len(self.running) + len(self.elsewhere) < self.share.workers:
            name = waiting.popleft()
            folder = arm_folder(self.folder, name)
            found = seen_state(folder)
            if found.state == "finished":
                self.finished += 1
            elif found.state == "running":  # of a start that was killed: its arms went on
                self.elsewhere[name] = time.monotonic() + PATIENCE
            else:
                self.running[name] = self._process(name)

    def _process(self, name: str) -> BaseProcess:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        process: BaseProcess = self.context.Process(target=_arm, args=(self.folder, name))
        process.start()
        return process

    def _collect(self, waiting: deque[str]) -> None:
        for name, process in list(self.running.items()):
            code = process.exitcode
            if code is not None:
                del self.running[name]
                self._ended(name, code, waiting)

        for name, when in list(self.elsewhere.items()):
            if time.monotonic() < when:
                continue
            self.elsewhere[name] = time.monotonic() + PATIENCE
            if seen_state(arm_folder(self.folder, name)).state != "running":
                del self.elsewhere[name]
                waiting.appendleft(name)

    def _ended(self, name: str, code: int, waiting: deque[str]) -> None:
        if code == FINISHED:
            self.finished += 1
            return
        if code == HELD:
            self.attempts[name] -= 1
            self.elsewhere[name] = time.monotonic() + PATIENCE
            return
        state = _closed(arm_folder(self.folder, name), code)
        if self.attempts[name] <= self.retries:
            log.warning("%s: attempt %d ended: %s", name, state.attempt, _last(state))
            waiting.append(name)
            return

        log.error("%s failed: %s", name, _last(state))
        self.failed[name] = state.error
        causes = {tuple(error) for error in self.failed.values()}
        if not self.finished and len(self.failed) >= ALIKE and len(causes) == 1:
            raise ValueError(
                f"the first {len(self.failed)} arms failed in the same way, none has finished: "
                f"{_last(state)}"
            )

    def _stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.join()


def _context(modules: Iterable[str]) -> Any:
    """Return a way to start processes: where the system can, forks of a process that has imported
    `modules` and done nothing else; new processes elsewhere.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    return context


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Let the libraries of processes that are started in the body use `number` threads."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(number)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _arm(folder: Path, name: str) -> None:
    """Run an arm as a process of its own, that ends with the arm's exit code."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C is for the pool, which passes it on once
    with (arm_folder(folder, name) / LOG).open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
    sys.exit(run_arm(folder, name))


def _closed(folder: Path, code: int) -> State:
    """Return the state of an arm that has not finished; write it where its process could not."""
    state = read_state(folder)
    if code in {FAILED, AGAIN} and state.state in {"failed", "stopped"}:
        return state if state.error else replace(state, error=["stopped by a signal"])
    why = f"killed by signal {-code}" if code < 0 else f"its process ended with {code}"
    if code == -getattr(signal, "SIGKILL", 9):
        why += ", as the system does when memory runs out"
    log_file = folder / LOG  # not there, where the process ended before it could open it
    text = log_file.read_text(encoding="utf-8", errors="replace") if log_file.is_file() else ""
    lines = text.splitlines()[-LINES + 1 :]
    state = replace(state, state="failed", failures=state.failures + 1, error=[why, *lines])
    write_state(folder, state)
    return state


def _last(state: State) -> str:
    return state.error[0] if state.error else state.state
