"""The monitored value: what is best, when a run is out of patience, what it came to."""

import math

import pytest

from neuromf.training.config import Evaluation
from neuromf.training.monitor import (
    best_average,
    is_best,
    monitored,
    out_of_patience,
    sentence,
    summary,
)


def test_patience():
    def over(distances, patience):
        rows = [{"v_linear": d} for d in distances]
        return out_of_patience(rows, Evaluation(patience=patience))

    assert not over([], 2)
    assert not over([3, 2, 4], 2)
    assert over([3, 2, 4, 5], 2)
    assert not over([3, 2, 4, 5], 0)
    assert not over([float("nan"), 2, 1.5, 1], 2)
    assert over([2, float("nan"), float("nan")], 2)


def test_the_smallest_finite_value_is_best():
    settings, nan = Evaluation(), float("nan")
    rows = [{"v_linear": nan}, {"v_linear": 2.0}, {"swd": 0.1}]
    assert is_best({"v_linear": 1.9}, rows, settings)
    assert not is_best({"v_linear": 2.0}, rows, settings)
    assert not is_best({"v_linear": nan}, rows, settings)
    assert not is_best({"swd": 0.01}, rows, settings)
    assert is_best({"v_linear": 9.0}, [{"swd": 0.1}], settings)  # rows of an earlier version


@pytest.mark.parametrize(
    ("monitor", "name"),
    [("v_linear", "v_linear"), ("swd", "swd"), ("teacher", "error"), ("fid", "fid")],
)
def test_each_monitor_has_its_column(monitor, name):
    settings = Evaluation(every=2, fid_every=2, monitor=monitor)
    rows = [{"update": i, "v_linear": 1, "swd": 2, "error": 3, "fid": 4} for i in (1, 2)]
    rows[1][name] = 0.5
    assert monitored(rows, settings) == [rows[0][name], 0.5]
    assert summary(rows, settings)["best"] == rows[1]
    assert "0.5 at best (update 2)" in sentence(summary(rows, settings), settings)


def test_the_average_with_the_smallest_held_out_loss():
    rows = [{"v_linear": 0.1, "v_linear_0.9": 0.2}, {"v_linear": 0.5, "v_linear_0.9": 0.4}]
    assert best_average(rows, (0.99, 0.9)) == 0.9  # by the last row
    assert best_average(rows[:1], (0.99, 0.9)) == 0.99
    assert best_average([{"v_linear": 0.5, "v_linear_0.9": math.nan}], (0.99, 0.9)) == 0.99
    assert best_average([], (0.99, 0.9)) == 0.99
    assert best_average([{"v_linear": math.nan}], (0.99,)) == 0.99


def test_a_summary_in_words():
    rows = [{"update": 5, "swd": 3.0}, {"update": 10, "swd": 1.0}, {"update": 15, "swd": 2.0}]
    text = sentence(summary(rows, Evaluation(monitor="swd")), Evaluation(monitor="swd"))
    assert (
        text
        == "swd to held-out latents: 3 at first (update 5), 1 at best (update 10), 2 at last (update 15)"
    )
    assert summary([], Evaluation()) == {}
    assert summary(rows, Evaluation()) == {}
