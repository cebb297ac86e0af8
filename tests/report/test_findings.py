"""What goes wrong in a run is said first, and a good run has nothing to say."""

import json
import math

import numpy as np
import pytest

from neuromf.report.findings import findings, smoothed
from neuromf.report.trained import read_trained
from neuromf.runtime.tables import write_table
from neuromf.training.optimiser import Optimiser
from report.support import edit_record, evaluation_rows, log_rows, make_run

PARTS = ("log", "evaluation", "samples")


def said(folder, weight=None):
    return [f.text for f in findings(read_trained(folder)) if weight in (None, f.weight)]


def test_a_good_run_has_nothing_to_say(tmp_path):
    assert said(make_run(tmp_path / "run")) == []


@pytest.mark.parametrize(
    ("state", "weight", "text"),
    [
        ("interrupted", "doubtful", "--resume continues it (after update 200 of 200)"),
        ("failed", "wrong", "run.log says why"),
        ("running", "wrong", "was killed"),
        ("odd", "doubtful", "'odd'"),
    ],
)
def test_how_it_ended(tmp_path, state, weight, text):
    found = findings(read_trained(make_run(tmp_path / "run", state=state)))
    assert [(f.weight, text in f.text) for f in found] == [(weight, True)]


def test_files_that_end_before_the_run(tmp_path):
    [text] = said(make_run(tmp_path / "run", updates=999))
    assert "says that it finished, and its files end after update 200 of 999" in text


def test_rows_of_nan(tmp_path):
    folder = make_run(tmp_path / "run")
    rows = log_rows(
        raw=lambda i: math.nan if i in (5, 7) else 1.0,
        nonfinite_samples=lambda i: 3 if i == 5 else 0,
        skipped=lambda i: 1 if i == 7 else 0,
    )
    write_table(folder / "log.csv", [*rows, {"update": "x"}])
    write_table(folder / "evaluation.csv", evaluation_rows(swd=lambda i: math.nan))
    found = said(folder, "wrong")
    assert "1 rows of log.csv name no update: left out." in found
    assert "The raw loss is NaN in 2 of 20 rows of log.csv, from update 60 to 80." in found
    assert any(t.startswith("3 samples gave NaN") and "update 60" in t for t in found)
    assert any(t.startswith("1 updates were skipped") for t in found)
    assert "swd is NaN in 3 of 3 rows of evaluation.csv." in found
    assert len(found) == 5


def test_a_loss_that_rose(tmp_path):
    folder = make_run(tmp_path / "run")
    write_table(folder / "log.csv", log_rows(raw=lambda i: 1.0 if i < 10 else 3.0))
    assert any("raw loss, smoothed, ended at 3 times" in t for t in said(folder, "wrong"))
    write_table(folder / "log.csv", log_rows(raw=lambda i: 1.0 if i < 10 else 1.2))
    assert said(folder) == []


def test_clipping_and_waiting(tmp_path):
    folder = make_run(tmp_path / "run")
    write_table(folder / "log.csv", log_rows(clipped=lambda i: 0.9, loader_share=lambda i: 0.5))
    found = " ".join(said(folder, "doubtful"))
    assert "90%" in found
    assert "50% of the training time was spent waiting" in found


def test_evaluations(tmp_path):
    folder = make_run(tmp_path / "run")
    write_table(folder / "evaluation.csv", evaluation_rows((1.3, 1.1, 1.2), power_2=lambda i: 0.3))
    assert any("1.2 times that of a linear filter" in t for t in said(folder, "wrong"))
    doubtful = " ".join(said(folder, "doubtful"))
    assert "v_linear rose from 1.1 at update 100 to 1.2" in doubtful
    assert "0.3 in band 2" in doubtful
    (folder / "evaluation.csv").unlink()
    assert any(t.startswith("No evaluation: evaluation.csv is not there") for t in said(folder))


def test_settings_and_history(tmp_path):
    folder = make_run(tmp_path / "run", optimiser=Optimiser(lr=0.5))
    early = {"versions": {"neuromf": "0.1.0"}, "git": {"commit": "f" * 40, "changed": True}}
    edit_record(folder, earlier=[early])
    (folder / "run.log").write_text("2026-01-02 03:04:05,000 WARNING slow disk\n")
    found = said(folder)
    assert found[0].startswith("Settings: optimiser.lr=0.5 is high")
    assert "The run has 2 starts, of 2 git commits." in found
    assert any(t.startswith("Written by NeuroMF 0.1.0, 0.2") for t in found)
    assert "The source held changes that no git commit has." in found
    assert found[-1] == "run.log: slow disk"


def test_a_configuration_that_is_not_read(tmp_path):
    folder = make_run(tmp_path / "run")
    (folder / "config.yaml").write_text("strange: 1\n")
    [text] = said(folder, "doubtful")
    assert text.startswith("The configuration is not read")


def test_the_gravest_come_first(tmp_path):
    folder = make_run(tmp_path / "run", state="failed", parts=("log",))
    edit_record(folder, versions={"neuromf": "0.1.0"})
    weights = [f.weight for f in findings(read_trained(folder))]
    assert weights == ["wrong", "doubtful", "note"]
    assert json.loads((folder / "run.json").read_text())["state"] == "failed"


def test_running_means():
    np.testing.assert_allclose(smoothed(np.array([1.0, 2, 6, 4])), [1.5, 3, 4, 5])
    np.testing.assert_allclose(smoothed(np.ones(1000)), 1)
    assert smoothed(np.array([2.0])) == 2
