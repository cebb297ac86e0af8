import json
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

import pytest

from neuromf.runtime import config as settings
from neuromf.runtime import run
from neuromf.runtime.folders import Output


@dataclass(frozen=True)
class Outer:
    rate: float = 0.5
    seed: int = 0


OUTPUT = Output("toy", ("kept", "*.txt", "part/*"))


def opened(out, config, **how):
    return run.open_run(out, config, OUTPUT, **how)


def read(path):
    return json.loads(path.read_text())


def test_a_run_folder_says_what_made_it(tmp_path):
    with opened(tmp_path / "a", Outer(seed=5)) as out:
        assert read(out / "run.json")["state"] == "running"
        logging.getLogger("neuromf").info("half way")
    record = read(tmp_path / "a" / "run.json")
    assert record["state"] == "finished"
    assert record["seed"] == 5
    assert set(record["versions"]) >= {"neuromf", "torch", "monai"}
    assert settings.load(Outer, [str(tmp_path / "a" / "config.yaml")], "toy") == Outer(seed=5)
    assert "half way" in (tmp_path / "a" / "run.log").read_text()


def test_a_failed_run_says_so(tmp_path):
    with pytest.raises(ZeroDivisionError), opened(tmp_path / "a", Outer()):
        raise ZeroDivisionError("oh")
    assert read(tmp_path / "a" / "run.json")["state"] == "failed"
    log = (tmp_path / "a" / "run.log").read_text()
    assert "ZeroDivisionError: oh" in log
    assert "Traceback" in log


def test_a_second_start_is_refused_unless_asked_for(tmp_path):
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "kept", "")
    with (
        pytest.raises(FileExistsError, match=r"--resume continues, --overwrite starts again"),
        opened(out, Outer()),
    ):
        pass
    with opened(out, Outer(), resume=True):
        assert (out / "kept").exists()
    with pytest.raises(
        settings.ConfigError, match=r"another configuration \(- seed: 0; \+ seed: 1\)"
    ):
        with opened(out, Outer(seed=1), resume=True):
            pass
    with opened(out, Outer(seed=1), overwrite=True):
        assert not (out / "kept").exists()


def test_a_run_of_a_version_with_fewer_keys_goes_on(tmp_path):
    for text in ("rate: 0.5\n", "{}\n"):
        with opened(tmp_path / "a", Outer(), overwrite=True):
            pass
        (tmp_path / "a" / "config.yaml").write_text(text)
        with (
            pytest.raises(settings.ConfigError, match=r"\(- seed: 0; \+ seed: 1\)"),
            opened(tmp_path / "a", Outer(seed=1), resume=True),
        ):
            pass
        with opened(tmp_path / "a", Outer(), resume=True):
            pass


def test_a_resumed_run_remembers_its_earlier_starts(tmp_path):
    for resume in (False, True, True):
        with opened(tmp_path / "a", Outer(), resume=resume):
            pass
    record = read(tmp_path / "a" / "run.json")
    assert [r["state"] for r in record["earlier"]] == ["finished"] * 2


def test_a_run_that_is_going_on_is_left_alone(tmp_path):
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "kept", "")
    code = f"import time; from pathlib import Path; from neuromf.runtime.lock import lock\nwith lock(Path({str(out)!r})):\n"
    writer = subprocess.Popen(
        [sys.executable, "-c", f"{code} print('held', flush=True); time.sleep(60)"], stdout=PIPE
    )
    try:
        assert writer.stdout.readline() == b"held\n"
        for how in ({"overwrite": True}, {"resume": True}):
            with (
                pytest.raises(FileExistsError, match=f"being written by process {writer.pid} on"),
                opened(out, Outer(), **how),
            ):
                pass
        assert (out / "kept").exists()
    finally:
        writer.kill()
        writer.communicate()
    with opened(out, Outer(), resume=True):  # the lock ended with its process
        pass


def test_one_of_two_starts_in_one_instant_is_refused(tmp_path):
    """Both see an empty folder; the lock decides, and the loser changes nothing."""
    with (
        opened(tmp_path / "a", Outer(seed=1)) as out,
        pytest.raises(FileExistsError, match="not empty|being written"),
    ):
        with opened(out, Outer(seed=2), resume=True):
            pass
    assert settings.load(Outer, [str(out / "config.yaml")], "toy") == Outer(seed=1)


def test_what_is_overwritten_stays_until_the_new_run_is_complete(tmp_path, capsys):
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "kept", "hours of work")
    for seed in (1, 2):
        with pytest.raises(ZeroDivisionError), opened(out, Outer(seed=seed), overwrite=True):
            (out / "part").mkdir()
            run.write_text(out / "part" / "half", "")
            raise ZeroDivisionError
        assert (out / ".replaced" / "1" / "kept").read_text() == "hours of work"
        assert f"kept in {out / '.replaced'}" in capsys.readouterr().err
    with opened(out, Outer(seed=2), resume=True):
        assert (out / "part" / "half").exists()
    assert not (out / ".replaced").exists()


def test_an_overwrite_that_was_killed_as_it_began_does_not_go_on_as_a_resume(tmp_path):
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "kept", "")
    (out / ".replaced" / "1").mkdir(parents=True)
    (out / "kept").rename(out / ".replaced" / "1" / "kept")
    with (
        pytest.raises(FileExistsError, match="stopped as it began"),
        opened(out, Outer(), resume=True),
    ):
        pass
    with opened(out, Outer(), overwrite=True):
        pass
    assert {p.name for p in out.iterdir()} == {
        "config.yaml",
        "run.json",
        "run.log",
        "files.txt",
        ".lock",
    }


@pytest.mark.parametrize("name", ["thesis.tex", "more.txt", "part/mine", "deep/er/note.txt"])
def test_files_of_the_user_are_not_overwritten(tmp_path, name):
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "one.txt", "")
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    with (
        pytest.raises(FileExistsError, match=rf"no `neuromf toy` wrote \({name}\)"),
        opened(out, Outer(), overwrite=True),
    ):
        pass
    with opened(
        out, Outer(), resume=True
    ):  # a resumed run leaves them alone, and does not take them for its own
        pass
    with pytest.raises(FileExistsError, match=name), opened(out, Outer(), overwrite=True):
        pass
    assert (out / name).read_text() == "mine"
    assert (out / "one.txt").exists()


def test_a_file_that_appears_while_a_run_goes_is_the_users(tmp_path):
    """Also where the run is killed, and the file is named as the verb names its own."""
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "one.txt", "")
        (out / "mine.txt").write_text("mine")
    for state in ("finished", "running"):
        run.write_json(out / "run.json", read(out / "run.json") | {"state": state})
        with (
            pytest.raises(FileExistsError, match=r"\(mine.txt\)"),
            opened(out, Outer(), overwrite=True),
        ):
            pass
    assert (out / "mine.txt").read_text() == "mine"
    (out / "mine.txt").unlink()
    with opened(out, Outer(), overwrite=True):
        assert not (out / "one.txt").exists()


def test_what_processes_write_for_a_run_is_its_own(tmp_path):
    out = tmp_path / "a"
    code = "from pathlib import Path; from neuromf.runtime.run import write_text; write_text(Path({!r}), '')"
    with opened(out, Outer()):
        subprocess.run([sys.executable, "-c", code.format(str(out / "theirs.txt"))], check=True)
    subprocess.run([sys.executable, "-c", code.format(str(out / "later.txt"))], check=True)
    with (
        pytest.raises(FileExistsError, match=r"\(later.txt\)"),
        opened(out, Outer(), overwrite=True),
    ):
        pass


def test_runs_within_a_run_know_their_own(tmp_path):
    """As in the demo: a file in the folder of an inner run is the outer's to replace only if a run wrote it."""
    outer, inner = Output("demo", ("in/**",)), tmp_path / "a" / "in"
    with run.open_run(tmp_path / "a", Outer(), outer), opened(inner, Outer()):
        run.write_text(inner / "one.txt", "")
    (inner / "two.txt").write_text("mine")
    with (
        pytest.raises(FileExistsError, match=r"\(in/two.txt\)"),
        run.open_run(tmp_path / "a", Outer(), outer, overwrite=True),
    ):
        pass
    (inner / "two.txt").unlink()
    with run.open_run(tmp_path / "a", Outer(), outer, overwrite=True):
        assert not inner.exists()


def test_of_a_run_of_an_earlier_version_the_patterns_tell(tmp_path):
    out = tmp_path / "a"
    with opened(out, Outer()):
        run.write_text(out / "one.txt", "")
    (out / "files.txt").unlink()
    (out / ".one.0123456789abcdef.tmp.txt").touch()  # half-written
    (out / "stranger").touch()
    with (
        pytest.raises(FileExistsError, match=r"\(stranger\)"),
        opened(out, Outer(), overwrite=True),
    ):
        pass
    with opened(out, Outer(), resume=True):
        assert not list(out.glob(".one*"))
    (out / "stranger").unlink()
    with opened(out, Outer(), overwrite=True):
        assert not (out / "one.txt").exists()


def test_a_folder_of_another_verb_is_refused(tmp_path):
    with run.open_run(tmp_path / "a", Outer(), Output("prepare", ("*",))):
        pass
    for how in ({"resume": True}, {"overwrite": True}):
        with (
            pytest.raises(FileExistsError, match="written by `neuromf prepare`, not toy"),
            opened(tmp_path / "a", Outer(), **how),
        ):
            pass


def test_out_may_be_a_link_or_here(tmp_path, monkeypatch):
    out = tmp_path / "real"
    with opened(out, Outer()):
        run.write_text(out / "kept", "")
    link = tmp_path / "link"
    link.symlink_to(out)
    with opened(link, Outer(seed=1), overwrite=True):
        assert not (out / "kept").exists()
    assert link.is_symlink()
    monkeypatch.chdir(out)
    with opened(Path(), Outer(seed=2), overwrite=True):
        run.write_text(out / "kept", "")
    assert Path.cwd() == out
    assert read(Path("run.json"))["seed"] == 2


@pytest.mark.parametrize("record", [None, '{"tool": "another"}', "[]", "{"])
@pytest.mark.parametrize("how", [{"resume": True}, {"overwrite": True}])
def test_a_folder_of_somebody_else_is_never_touched(tmp_path, how, record):
    (tmp_path / "thesis.tex").touch()
    if record:
        (tmp_path / "run.json").write_text(record)
    with (
        pytest.raises(FileExistsError, match=r"no run.json of ours"),
        opened(tmp_path, Outer(), **how),
    ):
        pass
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db"])
def test_a_folder_that_was_looked_at_in_a_file_browser_is_empty(tmp_path, name):
    (tmp_path / name).write_text("view")
    with opened(tmp_path, Outer()):
        pass
    assert (tmp_path / name).read_text() == "view"
    assert read(tmp_path / "run.json")["state"] == "finished"


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match="is a file"), opened(tmp_path / "a", Outer()):
        pass


def test_a_start_that_failed_at_once_is_no_obstacle(tmp_path):
    with pytest.raises(ValueError, match="no luck"), opened(tmp_path / "a", Outer()):
        raise ValueError("no luck")
    with opened(tmp_path / "a", Outer(seed=2)) as out:
        (out / "result").touch()
    with (
        pytest.raises(FileExistsError, match="is not empty"),
        opened(tmp_path / "a", Outer(seed=2)),
    ):
        pass


def test_interruption_is_a_state(tmp_path):
    with pytest.raises(KeyboardInterrupt), opened(tmp_path / "a", Outer()):
        raise KeyboardInterrupt
    assert read(tmp_path / "a" / "run.json")["state"] == "interrupted"
    assert "Traceback" not in (tmp_path / "a" / "run.log").read_text()
