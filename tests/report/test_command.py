"""The verb: one run, several, and folders that are none."""

from pathlib import Path

import pytest

from neuromf.invoke import resolved
from neuromf.report.command import named_folders, run, short_names
from neuromf.report.config import ReportConfig
from neuromf.report.trained import NoRunError
from neuromf.verbs import VERBS
from report.support import edit_record, make_run


def test_one_run(tmp_path, capsys):
    folder = make_run(tmp_path / "mine")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert run(ReportConfig(runs=(str(folder),)), tmp_path / "out") == 0
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    assert not (tmp_path / "out" / "runs").exists()
    source = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<title>NeuroMF: mine</title>" in source
    assert len(source) < 1_500_000
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["mine: finished, 200 updates", f"look at {tmp_path / 'out' / 'index.html'}"]


def test_several_and_one_that_is_none(tmp_path, capsys):
    folders = [make_run(tmp_path / "a"), make_run(tmp_path / "b", state="running", parts=("log",))]
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    assert run(ReportConfig(runs=(*map(str, folders), str(tmp_path / "empty"))), out) == 1
    printed = capsys.readouterr().out
    assert "b: running, 200 updates" not in printed
    assert "b: killed, 200 updates:\n  The run was killed" in printed
    assert "left out: " in printed
    source = (out / "index.html").read_text(encoding="utf-8")
    assert "holds no run.json" in source
    for name in "ab":
        assert f'href="runs/{name}.html"' in source
        assert 'href="../index.html"' in (out / "runs" / f"{name}.html").read_text(encoding="utf-8")
    assert "b: the run drew no samples" in source
    assert "was killed" in source


def test_no_run_at_all(tmp_path):
    with pytest.raises(ValueError, match="neuromf report runs/mine"):
        run(ReportConfig(), tmp_path / "out")
    with pytest.raises(NoRunError, match="is no folder"):
        run(ReportConfig(runs=(str(tmp_path / "gone"),)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_stages_count_as_runs(tmp_path):
    folder = make_run(tmp_path / "two")
    edit_record(folder, verb="train-stages")
    make_run(folder / "stages" / "flow")
    make_run(folder / "stages" / "secants")
    named, refused = named_folders([folder, folder / "stages" / "flow"])
    assert (list(named), refused) == (["flow", "secants"], {})


def test_names_tell_runs_apart():
    folders = [Path("/s/x/train"), Path("/s/y/train"), Path("/s/mine"), Path("/t/mine")]
    assert short_names(folders) == ["x-train", "y-train", "s-mine", "t-mine"]
    assert short_names([Path("/s/x")]) == ["x"]
    assert short_names([Path("/s/fast/train"), Path("/s/fast-train")]) == [
        "fast-train",
        "fast-train-2",
    ]


def test_words_without_a_key_are_runs(tmp_path):
    words = ["runs/a", "runs/b, c", "runs/${x}"]
    assert resolved("report", VERBS["report"], words).runs == tuple(words)
    assert resolved("report", VERBS["report"], ["runs=[a,b]"]).runs == ("a", "b")
    assert resolved("report", VERBS["report"], ["evaluations=[e]", "a"]).evaluations == ("e",)
