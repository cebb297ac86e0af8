import errno
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest

from neuromf import config as settings
from neuromf import run


@dataclass(frozen=True)
class Outer:
    rate: float = 0.5
    seed: int = 0


def read(path):
    return json.loads(path.read_text())


def test_a_run_folder_says_what_made_it(tmp_path):
    with run.open_run(tmp_path / "a", Outer(seed=5)) as out:
        assert read(out / "run.json")["state"] == "running"
        logging.getLogger("neuromf").info("half way")
    record = read(tmp_path / "a" / "run.json")
    assert record["state"] == "finished"
    assert record["seed"] == 5
    assert set(record["versions"]) >= {"neuromf", "torch", "monai"}
    assert settings.load(Outer, [str(tmp_path / "a" / "config.yaml")], "toy") == Outer(seed=5)
    assert "half way" in (tmp_path / "a" / "run.log").read_text()


def test_a_failed_run_says_so(tmp_path):
    with pytest.raises(ZeroDivisionError), run.open_run(tmp_path / "a", Outer()):
        raise ZeroDivisionError("oh")
    assert read(tmp_path / "a" / "run.json")["state"] == "failed"
    log = (tmp_path / "a" / "run.log").read_text()
    assert "ZeroDivisionError: oh" in log
    assert "Traceback" in log


def test_a_second_start_is_refused_unless_asked_for(tmp_path):
    out = tmp_path / "a"
    with run.open_run(out, Outer()):
        (out / "kept").touch()
    with (
        pytest.raises(FileExistsError, match=r"--resume continues, --overwrite starts again"),
        run.open_run(out, Outer()),
    ):
        pass
    with run.open_run(out, Outer(), resume=True):
        assert (out / "kept").exists()
    with pytest.raises(settings.ConfigError, match=r"another configuration \(- seed: 0; \+ seed: 1\)"):  # noqa: SIM117
        with run.open_run(out, Outer(seed=1), resume=True):
            pass
    with run.open_run(out, Outer(seed=1), overwrite=True):
        assert not (out / "kept").exists()


def test_a_resumed_run_remembers_its_earlier_starts(tmp_path):
    for resume in (False, True, True):
        with run.open_run(tmp_path / "a", Outer(), resume=resume):
            pass
    record = read(tmp_path / "a" / "run.json")
    assert [r["state"] for r in record["earlier"]] == ["finished"] * 2


def test_a_run_that_is_going_on_is_left_alone(tmp_path):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with run.open_run(tmp_path / "a", Outer()) as out:
            run.write_json(out / "run.json", read(out / "run.json") | {"process": sleeper.pid})
            with (
                pytest.raises(FileExistsError, match="being written by process"),
                run.open_run(out, Outer(), overwrite=True),
            ):
                pass
    finally:
        sleeper.kill()
        sleeper.wait()


@pytest.mark.parametrize("record", [None, '{"tool": "another"}', "[]", "{"])
@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}])
def test_a_folder_of_somebody_else_is_never_touched(tmp_path, how, record):
    (tmp_path / "thesis.tex").touch()
    if record:
        (tmp_path / "run.json").write_text(record)
    with pytest.raises(FileExistsError, match=r"no run.json of ours"), run.open_run(tmp_path, Outer(), **how):
        pass
    assert (tmp_path / "thesis.tex").exists()


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match="is a file"), run.open_run(tmp_path / "a", Outer()):
        pass


def test_writing_is_whole_or_not_at_all(tmp_path):
    run.write_text(tmp_path / "a.txt", "first")
    with pytest.raises(RuntimeError), run.atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("sec")
        raise RuntimeError("killed")
    assert (tmp_path / "a.txt").read_text() == "first"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_start_that_failed_at_once_is_no_obstacle(tmp_path):
    with pytest.raises(ValueError, match="no luck"), run.open_run(tmp_path / "a", Outer()):
        raise ValueError("no luck")
    with run.open_run(tmp_path / "a", Outer(seed=2)) as out:
        (out / "result").touch()
    with pytest.raises(FileExistsError, match="is not empty"), run.open_run(tmp_path / "a", Outer(seed=2)):
        pass


def test_interruption_is_a_state(tmp_path):
    with pytest.raises(KeyboardInterrupt), run.open_run(tmp_path / "a", Outer()):
        raise KeyboardInterrupt
    assert read(tmp_path / "a" / "run.json")["state"] == "interrupted"
    assert "Traceback" not in (tmp_path / "a" / "run.log").read_text()


def test_a_full_disk_says_where(tmp_path):
    with pytest.raises(OSError, match=r"a\.json"), run.atomic(tmp_path / "a.json"):
        raise OSError(errno.ENOSPC, "No space left on device")
