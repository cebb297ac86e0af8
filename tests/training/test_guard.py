"""When a run is given up."""

import math

from neuromf.training.config import Guard
from neuromf.training.guard import why_to_give_up


def rows(*losses):
    return [
        {"update": 10 * (i + 1), "raw": value, "nonfinite_share": 0.0}
        for i, value in enumerate(losses)
    ]


def test_guard():
    guard = Guard(factor=10, grace=20)
    assert why_to_give_up(rows(1.0, 0.5, 4.9), guard) == ""
    assert "10.2 times its minimum of 0.5" in why_to_give_up(rows(1.0, 0.5, 5.1), guard)
    assert why_to_give_up(rows(0.5, 50.0), guard) == ""  # too early to say
    assert why_to_give_up(rows(math.nan, math.nan, 5.0), guard) == ""
    assert why_to_give_up(rows(1.0, 0.5, math.nan), guard) == ""
    left_out = [{"update": 10, "raw": 1.0, "nonfinite_share": 0.3}]
    assert "30 % of the samples" in why_to_give_up(left_out, guard)
