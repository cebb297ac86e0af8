"""A run's folder, whole and in every state of disrepair."""

import json
import shutil

import pytest

from neuromf.report.trained import NoRunError, folders_of, read_trained
from neuromf.runtime.lock import lock
from report.support import SHAPE, TIMES, edit_record, make_run


def test_a_whole_run(tmp_path):
    run = read_trained(make_run(tmp_path / "mine"))
    assert (run.name, run.state, run.updates) == ("mine", "finished", 200)
    assert run.shape == SHAPE
    assert sorted(run.linear) == list(TIMES)
    assert [p.update for p in run.previews] == [100, 200]
    assert [c.missing for c in (run.log, run.evaluation, run.diagnostics)] == ["", "", ""]


def test_an_empty_one_says_what_is_missing(tmp_path):
    run = read_trained(make_run(tmp_path / "mine", state="failed", parts=()))
    assert run.updates == 0
    assert run.shape == ()
    assert "log.csv is not there" in run.log.missing
    assert "evaluation.every=0" in run.evaluation.missing
    assert "diagnostics.every=0" in run.diagnostics.missing


def test_one_that_was_killed_and_one_that_runs(tmp_path):
    folder = make_run(tmp_path / "mine", state="running")
    assert read_trained(folder).state == "killed"
    with lock(folder):
        assert read_trained(folder).state == "running"


def test_the_latents_shape_is_that_of_the_model(tmp_path):
    folder = make_run(tmp_path / "mine", parts=("log",))
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(json.dumps({"stats": {"shape": [8, 4, 4, 4]}}))
    assert read_trained(folder).shape == (8, 4, 4, 4)


def test_warnings_of_the_log_stand_once(tmp_path):
    folder = make_run(tmp_path / "mine")
    line = "2026-01-02 03:04:05,000 WARNING slow\n"
    (folder / "run.log").write_text(line + "  traceback\n" + line + line.replace("WARNING", "INFO"))
    assert read_trained(folder).warned == ("slow",)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "is no folder"),
        (lambda f: (f / "run.json").unlink(), "holds no run.json"),
        (lambda f: (f / "run.json").write_text("{"), "cannot be read"),
        (lambda f: edit_record(f, verb="generate"), "written by `neuromf generate`"),
        (lambda f: edit_record(f, verb="train-vae"), "written by `neuromf train-vae`"),
        (lambda f: edit_record(f, verb="train-stages"), "no stage"),
    ],
)
def test_what_is_no_training_is_refused(tmp_path, damage, said):
    folder = make_run(tmp_path / "mine")
    damage(folder)
    with pytest.raises(NoRunError, match=said):
        read_trained(folder)


def test_stages_are_runs_in_the_order_of_their_start(tmp_path):
    folder = make_run(tmp_path / "two")
    edit_record(folder, verb="train-stages")
    flow = make_run(folder / "stages" / "z-flow")
    edit_record(flow, earlier=[{"started": "2026-01-01T00:00:00+0000"}])
    secants = make_run(folder / "stages" / "a-secants")
    assert folders_of(folder) == [flow, secants]


def test_a_record_of_an_earlier_version_names_no_verb(tmp_path):
    folder = make_run(tmp_path / "mine")
    edit_record(folder, verb=None)
    assert read_trained(folder).state == "finished"
    (folder / "log.csv").unlink()
    with pytest.raises(NoRunError, match="names no verb"):
        read_trained(folder)


def test_broken_files_beside_a_good_log(tmp_path):
    folder = make_run(tmp_path / "mine")
    (folder / "evaluation.json").write_text('{"v_loss_linear": 3}')
    (folder / "evaluation.csv").write_bytes(b"\xff\xfe\x00")
    run = read_trained(folder)
    assert run.linear == {}
    assert "UTF-8" in run.evaluation.missing
    assert run.log.missing == ""
