import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from neuromf.runtime.parallel import THREADS, DiedError, cores, each


def square(x):
    if x == 3:
        raise ValueError("three")
    return x * x


def threads(x):
    return [os.environ[name] for name in THREADS]


def die_at_two(x):
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_has_its_result_or_its_exception(workers):
    results = dict(each(square, range(6), workers))
    assert isinstance(results.pop(3), ValueError)
    assert results == {0: 0, 1: 1, 2: 4, 4: 16, 5: 25}


def test_processes_have_one_thread_and_the_environment_is_left_alone():
    before = dict(os.environ)
    assert all(r == ["1"] * len(THREADS) for _, r in each(threads, range(2), 2))
    assert dict(os.environ) == before


def test_a_killed_process_costs_one_item():
    results = dict(each(die_at_two, range(5), 2))
    assert isinstance(results.pop(2), DiedError)
    assert results == {0: 0, 1: 1, 3: 3, 4: 4}


def test_a_process_that_dies_while_results_are_handled_costs_one_item():
    """The pool is broken when it is given more to do, not when it is waited for."""
    results = {}
    for item, result in each(die_at_two, range(12), 2):
        if not results:
            time.sleep(3)
        results[item] = result
    assert isinstance(results.pop(2), DiedError)
    assert results == {x: x for x in range(12) if x != 2}


def test_workers_are_no_more_than_the_cores_that_a_process_may_use(monkeypatch):
    """Of a job with few cores on a large machine, each worker would hold its copy of torch."""
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert cores() == 1
    assert [result for _, result in each(pid, range(3))] == [os.getpid()] * 3
    monkeypatch.delattr(os, "sched_getaffinity")  # where no system call tells
    assert cores() == 128


def pid(x):
    return os.getpid()


def test_no_items():
    assert list(each(square, [], 4)) == []


def process(x):
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_after_a_death_the_rest_shares_processes_again():
    results = dict(each(process, range(40), 2))
    assert isinstance(results.pop(2), DiedError)
    assert len(set(results.values())) <= 2 + 4 + 2  # before, the items under way alone, after


def test_workers_end_with_the_process_that_is_killed():
    """A run that is killed leaves nobody behind."""
    code = "import time; from neuromf.runtime.parallel import each; list(each(time.sleep, [60, 60, 60], 2))"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.time() + 60
        workers = []
        while len(workers) < 2 and time.time() < deadline:
            time.sleep(0.2)
            children = psutil.Process(process.pid).children()
            workers = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        assert len(workers) == 2
        time.sleep(2)  # they have begun to work
    finally:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []
