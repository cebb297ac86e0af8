import os
import signal
import threading
import time

import pytest

from neuromf.runtime.config import ConfigError
from neuromf.study.arms import planned
from neuromf.study.config import SweepConfig
from neuromf.study.folder import arm_folder, read_state, seen_state, write_table
from neuromf.study.pool import Pool, Share, _closed
from study.support import quick_study

TOY = {"toy": "toy"}
MODULES = ("neuromf.torus",)


def written(folder, config, steps):
    names = [arm.name for arm in planned(config)]
    write_table(folder, planned(config), steps)
    return names


def state(folder, name):
    return read_state(arm_folder(folder, name))


def until(condition, seconds=120):
    """Wait for a condition; fail where it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_shares_of_the_machine(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(8))
    steps = {"toy": ["toy"]}
    assert Share.of(SweepConfig(steps)) == Share(8, 1)
    assert Share.of(SweepConfig(steps, threads=3)) == Share(2, 3)
    assert Share.of(SweepConfig(steps, workers=2)) == Share(2, 4)
    assert Share.of(SweepConfig(steps, workers=9)) == Share(9, 1)
    with pytest.raises(ConfigError, match="does not fit into the"):
        Share.of(SweepConfig(steps, memory_gb=1e6))


def test_arms_run_side_by_side_and_once(tmp_path):
    names = written(tmp_path, quick_study([1, 2], (0, 1)), TOY)
    told = []
    pool = Pool(tmp_path, Share(2, 1), 1, lambda: told.append(len(pool.running)), MODULES)
    pool.run(names)
    assert [state(tmp_path, n).state for n in names] == ["finished"] * 4
    assert [state(tmp_path, n).attempt for n in names] == [1] * 4
    assert len({state(tmp_path, n).process for n in names}) == 4
    assert max(told) == 2

    Pool(tmp_path, Share(2, 1), 1).run(names)
    assert [state(tmp_path, n).attempt for n in names] == [1] * 4


def test_failures_are_tried_again_and_kept(tmp_path):
    config = SweepConfig({"look": ["inspect"]}, {"latents": ["nowhere", "neither"]}, retries=1)
    names = written(tmp_path, config, {"look": "inspect"})
    pool = Pool(tmp_path, Share(2, 1), 1, modules=MODULES)
    pool.run(names)
    assert sorted(pool.failed) == sorted(names)
    assert [state(tmp_path, n).attempt for n in names] == [2, 2]


def test_a_study_of_failures_ends_early(tmp_path):
    config = SweepConfig({"look": ["mask-test", "masks=nowhere"]}, {"noise": [1, 2, 3, 4, 5]})
    names = written(tmp_path, config, {"look": "mask-test"})
    with pytest.raises(ValueError, match="first 3 arms failed in the same way.*nowhere"):
        Pool(tmp_path, Share(1, 1), 0, modules=MODULES).run(names)
    assert state(tmp_path, names[-1]).state == "waiting"


def test_an_arm_that_is_killed_is_tried_again(tmp_path):
    (name,) = written(tmp_path, quick_study([100_000]), TOY)
    folder = arm_folder(tmp_path, name)

    def kill():
        for attempt in (1, 2):
            until(lambda n=attempt: state(tmp_path, name).attempt == n)
            os.kill(state(tmp_path, name).process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    pool = Pool(tmp_path, Share(1, 1), 1, modules=MODULES)
    pool.run([name])
    killer.join()
    assert pool.failed[name][0] == ("killed by signal 9, as the system does when memory runs out")
    assert seen_state(folder).attempt == 2


def test_an_arm_whose_process_could_not_begin_has_failed(tmp_path):
    """Its log is not there: no memory for a process, for example."""
    (name,) = written(tmp_path, quick_study([1]), TOY)
    closed = _closed(arm_folder(tmp_path, name), 1)
    assert (closed.state, closed.error) == ("failed", ["its process ended with 1"])
    assert state(tmp_path, name) == closed


def test_an_interrupted_pool_stops_its_arms(tmp_path):
    names = written(tmp_path, quick_study([100_000, 100_001]), TOY)

    def interrupt():
        if all(state(tmp_path, n).state == "running" for n in names):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pool(tmp_path, Share(2, 1), 1, interrupt, MODULES).run(names)
    assert [state(tmp_path, n).state for n in names] == ["stopped"] * 2


def test_arms_of_a_start_that_was_killed_go_on(tmp_path):
    first, second = written(tmp_path, quick_study([60, 1]), TOY)
    pool = Pool(tmp_path, Share(1, 1), 1, modules=MODULES)
    process = pool._process(first)  # as of a pool that is no longer there
    until(lambda: state(tmp_path, first).state == "running")
    Pool(tmp_path, Share(1, 1), 1).run([first, second])
    process.join()
    assert [state(tmp_path, n).attempt for n in (first, second)] == [1, 1]
    assert [state(tmp_path, n).state for n in (first, second)] == ["finished"] * 2
