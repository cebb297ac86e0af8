"""A group's row is that of its seeds: mean, standard deviation, t interval, interquartile mean."""

import math

import pytest

from neuromf.study.collected import collect
from neuromf.study.groups import summaries
from study.support import toy_study


def rows_of(folder, seeds):
    toy_study(folder, {"p": ["1", "2"]}, seeds, lambda v, seed: float(v["p"]) * seed)
    return {r.group: r for r in summaries(collect(folder, ["distance_1"]))}


def test_three_seeds(tmp_path):
    row = rows_of(tmp_path, (1, 2, 3))["p-2"]
    assert (row.n, row.mean, row.std, row.iqm) == (3, 4, 2, 4)
    # t of 2 degrees of freedom: 4.3027
    assert row.interval == pytest.approx((4 - 4.3027 * 2 / 3**0.5, 4 + 4.3027 * 2 / 3**0.5), 1e-4)
    assert math.isnan(row.iqm_interval.low)
    assert row.better == "lower"


def test_one_seed_has_no_spread_and_ten_an_interval_of_the_iqm(tmp_path):
    one = rows_of(tmp_path / "one", (1,))["p-1"]
    assert (one.n, one.mean) == (1, 1)
    assert math.isnan(one.std)
    assert math.isnan(one.interval.low)
    ten = rows_of(tmp_path / "ten", (1, 2, 3, 4, 5, 6, 7, 8, 9, 100))["p-1"]
    assert ten.iqm == (3 + 4 + 5 + 6 + 7 + 8) / 6
    assert ten.iqm_interval.low < 5.5 < ten.iqm_interval.high
