"""The same work over many items, in processes of one thread each: results as
they come, failures as values.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

import psutil
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """Return how many cores this process may use: fewer than there are, in a job of a cluster."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return allowed or os.cpu_count() or 1


def each(
    function: Callable[[Item], Result], items: Sequence[Item], workers: int = 0
) -> Iterator[tuple[Item, Result | Exception]]:
    """Yield (item, result or the exception it raised) as items are done, in `workers` processes;
    0 is one for each core that this process may use.

    With one worker the work is done here, in order. An item whose process dies comes with a
    RuntimeError, the rest continues.
    """
    workers = min(workers or cores(), len(items))
    if workers <= 1:
        for item in items:
            yield item, _try(function, item)
        return

    left = deque(items)
    while left:
        broken = yield from _pool(function, left, workers)
        # one of these killed its process, which ended the pool: each now runs alone
        for item in broken:
            with _executor(1) as alone:
                yield item, _outcome(alone.submit(function, item))


def _pool(
    function: Callable[[Item], Result], left: deque[Item], workers: int
) -> Generator[tuple[Item, Result | Exception], None, list[Item]]:
    """Work on `left` until it is empty or a process dies; return the items that were
    under way then.
    """
    running: dict[Future[Result], Item] = {}
    with _executor(workers) as pool:
        while left or running:
            broken = not _fill(pool, function, left, running, 2 * workers)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            outcomes = {future: _outcome(future) for future in done}
            if broken or any(isinstance(outcome, DiedError) for outcome in outcomes.values()):
                for future, outcome in outcomes.items():
                    if not isinstance(outcome, DiedError):
                        yield running.pop(future), outcome
                return list(running.values())
            for future, outcome in outcomes.items():
                yield running.pop(future), outcome

    return []


def _fill(
    pool: ProcessPoolExecutor,
    function: Callable[[Item], Result],
    left: deque[Item],
    running: dict[Future[Result], Item],
    most: int,
) -> bool:
    """Give items to a pool until it has so many; return False where one of its processes died
    while the caller was busy with results.
    """
    while left and len(running) < most:
        try:
            future = pool.submit(function, left[0])
        except BrokenProcessPool:
            return False
        running[future] = left.popleft()
    return True


class DiedError(OSError):
    """The process that worked on an item ended without a word; memory is the usual reason."""


def _outcome(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        return DiedError("its process was killed: out of memory, perhaps; fewer workers= may help")
    except Exception as error:
        return error


def _try(function: Callable[[Item], Result], item: Item) -> Result | Exception:
    try:
        with threadpool_limits(1, "blas"):  # as in a process of its own: sums keep their order
            return function(item)
    except Exception as error:
        return error


def _end_with(parent: int) -> None:
    """End this process when its parent ends: a parent that is killed cannot stop its workers."""

    def watch() -> None:
        # Windows keeps the number of a parent that has gone
        while os.getppid() == parent and psutil.pid_exists(parent):
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _executor(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of new processes whose numerical libraries use one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_end_with, initargs=(os.getpid(),)
    )

    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
