import os
import signal
import threading

import pytest

from neuromf.runtime.lock import lock
from neuromf.study.arm import FAILED, FINISHED, HELD, is_finished, listening, main, run_arm
from neuromf.study.arms import planned
from neuromf.study.config import SweepConfig
from neuromf.study.folder import arm_folder, read_state, write_table
from study.support import quick_study


def written(folder, config, steps):
    arms = planned(config)
    write_table(folder, arms, steps)
    return [arm.name for arm in arms]


def test_an_arm_runs_once(tmp_path):
    (name,) = written(tmp_path, quick_study([1]), {"toy": "toy"})
    folder = arm_folder(tmp_path, name)
    with lock(folder):
        pass
    assert run_arm(tmp_path, name) == FINISHED
    state = read_state(folder)
    assert (state.state, state.attempt, state.process) == ("finished", 1, os.getpid())
    assert is_finished(folder / "toy")
    before = (folder / "toy" / "metrics.json").stat().st_mtime_ns
    assert run_arm(tmp_path, name) == FINISHED
    assert read_state(folder) == state
    assert (folder / "toy" / "metrics.json").stat().st_mtime_ns == before


def test_a_failure_is_kept_with_its_step(tmp_path, capsys):
    config = SweepConfig({"look": ["inspect", "latents=nowhere"]})
    (name,) = written(tmp_path, config, {"look": "inspect"})
    for attempt in (1, 2):
        assert run_arm(tmp_path, name) == FAILED
        state = read_state(arm_folder(tmp_path, name))
        assert (state.state, state.attempt) == ("failed", attempt)
        assert state.error[0].startswith("look: ")
        assert "nowhere" in state.error[0]
    assert "Traceback" in capsys.readouterr().err


def test_a_step_with_items_that_failed_is_not_finished(tmp_path, monkeypatch):
    """Two items fail, then one, then none: run.json says `finished` each time."""
    (name,) = written(tmp_path, quick_study([1]), {"toy": "toy"})
    left, calls = [2, 1, 0], []

    def toy(config, out, *, resume):
        out.mkdir(exist_ok=True)
        (out / "run.json").write_text('{"state": "finished"}')
        calls.append(resume)
        return left[len(calls) - 1]

    monkeypatch.setattr("neuromf.torus.run", toy)
    for count in (2, 1):
        assert run_arm(tmp_path, name) == FAILED
        assert f"{count} items failed" in read_state(arm_folder(tmp_path, name)).error[0]
    assert run_arm(tmp_path, name) == FINISHED
    assert calls == [True] * 3
    assert not (arm_folder(tmp_path, name) / "toy.failed").exists()


def test_an_arm_that_another_process_runs_is_left_alone(tmp_path, capsys):
    (name,) = written(tmp_path, quick_study([1]), {"toy": "toy"})
    with lock(arm_folder(tmp_path, name)):
        assert run_arm(tmp_path, name) == HELD
    assert "being written by" in capsys.readouterr().err


def test_signals_stop_whoever_does_not_listen():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), listening():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) == before


def test_other_words_are_refused(capsys):
    assert main(["x"]) == 2
    assert "STUDY NAME" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "epochs-9_seed-0"])
def test_a_name_that_is_no_arm_is_refused(tmp_path, capsys, name):
    written(tmp_path, quick_study([1]), {"toy": "toy"})
    assert main([str(tmp_path), name]) == 2
    assert "is no arm of" in capsys.readouterr().err
    assert not (tmp_path / "arms" / "state.json").exists()
