"""Every figure of a whole run has its curves; a panel without numbers says so in its place."""

import math

import numpy as np
import pytest

from neuromf.report import figures
from neuromf.report.trained import read_trained
from neuromf.reporting.plots import png
from neuromf.runtime.tables import write_table
from report.support import TIMES, diagnosis_rows, evaluation_rows, log_rows, make_run

FIGURES = ("losses", "intervals", "gradients", "blocks", "speed", "velocity", "evaluation")


def texts(figure):
    return " ".join(t.get_text() for a in figure.axes for t in a.texts).replace("\n", " ")


@pytest.fixture
def run(tmp_path):
    return read_trained(make_run(tmp_path / "run"))


@pytest.mark.parametrize("name", FIGURES)
def test_a_whole_run_is_drawn(run, name):
    figure = getattr(figures, name)(run)
    assert all(a.lines or a.images or a.collections for a in figure.axes)
    assert "no number" not in texts(figure)
    assert png(figure)[:4] == b"\x89PNG"


@pytest.mark.parametrize("name", FIGURES)
def test_tables_with_a_row_of_nan_are_drawn_as_missing(tmp_path, name):
    folder = make_run(tmp_path / "run", parts=())
    for file, rows in (
        ("log.csv", log_rows(1)),
        ("evaluation.csv", evaluation_rows((1,))),
        ("diagnostics.csv", diagnosis_rows(1)),
    ):
        write_table(
            folder / file, [{k: v if k == "update" else math.nan for k, v in rows[0].items()}]
        )
    figure = getattr(figures, name)(read_trained(folder))
    said = texts(figure)
    assert any(w in said for w in ("no number", "no such column", "has no column"))
    assert png(figure)[:4] == b"\x89PNG"


def test_losses_of_a_flow_have_no_interval(tmp_path):
    folder = make_run(tmp_path / "run")
    write_table(folder / "log.csv", log_rows(raw_interval=lambda i: math.nan))
    left, right = figures.losses(read_trained(folder)).axes
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["all samples", "r = t"]
    assert len(right.get_legend().get_texts()) == 4


def test_the_v_loss_stands_beside_the_linear_filter(run):
    left, right = figures.velocity(run).axes
    named = {line.get_label(): line for line in left.lines}
    assert list(named) == ["first, update 50", "best and last, update 150", "a linear filter"]
    np.testing.assert_allclose(named["a linear filter"].get_xydata(), [[t, 1.1 - t] for t in TIMES])
    assert "a linear filter" in texts(right.figure)


def test_best_and_last_differ(tmp_path):
    folder = make_run(tmp_path / "run")
    write_table(folder / "evaluation.csv", evaluation_rows((0.9, 0.6, 0.7)))
    left = figures.velocity(read_trained(folder)).axes[0]
    labels = [line.get_label() for line in left.lines][:3]
    assert labels == ["first, update 50", "best, update 100", "last, update 150"]


def test_the_distance_shown_is_the_most_telling_there_is(tmp_path):
    folder = make_run(tmp_path / "run")
    assert "sliced" in figures.evaluation(read_trained(folder)).axes[2].get_ylabel()
    write_table(folder / "evaluation.csv", evaluation_rows(error=lambda i: 0.1))
    assert "teacher" in figures.evaluation(read_trained(folder)).axes[2].get_ylabel()


def test_names_of_columns_in_capitals_are_found(run):
    labels = [t.get_text() for t in figures.intervals(run).axes[1].get_legend().get_texts()]
    assert labels == ["u", "V", "v_c", "dudt"]
