"""Two groups: Welch and pairs. More: Welch's ANOVA and Games-Howell. P values are corrected within the family."""

import math

import numpy as np
import pytest
from scipy import stats

from neuromf.metrics.intervals import holm
from neuromf.study.collected import collect
from neuromf.study.comparing import compare
from neuromf.study.families import families
from study.support import toy_study


def noisy(values, seed):
    """A number of a group and seed; seeds have a part that all groups share."""
    words = "".join(f"{k}{v}" for k, v in values.items())
    chance = np.random.default_rng([seed, *words.encode()])
    return len(values["predict"]) + 0.3 * seed + float(chance.normal(0, 0.1))


def results(folder, axes, seeds=(0, 1, 2, 3, 4), value=noisy, measure="distance_1"):
    toy_study(folder, axes, seeds, value)
    found = collect(folder, [measure])
    return {f.name: compare(f, found, found.measures[0]) for f in families(found.table)}, found


def test_two_values_at_three_places(tmp_path):
    found, collected = results(tmp_path, {"predict": ["x", "uu"], "p": ["1", "2", "3"]})
    rows = found["predict"]
    assert [(r.test, r.at, r.names) for r in rows] == [
        ("Welch t", f"p = {p}", ("x", "uu")) for p in "123"
    ]
    assert [r.p_holm for r in rows] == pytest.approx(holm([r.p for r in rows]))
    assert [r.pairs.p_holm for r in rows] == pytest.approx(holm([r.pairs.p for r in rows]))

    a, b = (
        list(collected.of_group("distance_1", g).values())
        for g in ("predict-x_p-1", "predict-uu_p-1")
    )
    assert rows[0].p == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue)
    assert rows[0].pairs.p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert rows[0].pairs.p < rows[0].p  # what seeds share cancels
    # smaller distances are better: x is
    assert rows[0].difference < 0
    assert rows[0].improvement > 0.8
    assert math.isnan(rows[0].improvement_interval.low)  # five seeds are too few


def test_ten_seeds_have_an_interval_of_improvement(tmp_path):
    (row,) = results(tmp_path, {"predict": ["x", "uu"]}, tuple(range(10)))[0]["predict"]
    low, high = row.improvement_interval
    assert 0.5 < low <= row.improvement <= high <= 1


def test_several_values_at_two_places(tmp_path):
    rows = results(tmp_path, {"predict": ["x", "uu"], "p": ["1", "2", "3"]})[0]["p"]
    tests = [r.test for r in rows]
    assert tests == ["Welch ANOVA", *["Games-Howell"] * 3] * 2
    whole = [r for r in rows if r.test == "Welch ANOVA"]
    assert [r.p_holm for r in whole] == pytest.approx(holm([r.p for r in whole]))
    pairs = [r for r in rows if r.test == "Games-Howell"]
    assert [r.p_holm for r in pairs] == pytest.approx([min(1, 2 * r.p) for r in pairs])
    paired = [r.pairs.p for r in pairs]
    assert [r.pairs.p_holm for r in pairs] == pytest.approx(holm(paired))
    assert whole[0].names == ("1", "2", "3")


def test_one_seed_is_not_tested(tmp_path):
    (row,) = results(tmp_path, {"predict": ["x", "uu"]}, seeds=(0,))[0]["predict"]
    assert math.isfinite(row.difference)
    assert math.isnan(row.p)
    assert math.isnan(row.p_holm)
    assert "1 seed" in row.note
    assert "1 pair" in row.pairs.note


def test_pairs_are_of_the_seeds_that_both_have(tmp_path):
    toy_study(tmp_path, {"predict": ["x", "uu"]}, (0, 1, 2, 3), noisy)
    (tmp_path / "arms" / "predict-x_seed-1" / "toy" / "run.json").unlink()
    found = collect(tmp_path, ["distance_1"])
    (row,) = compare(families(found.table)[0], found, found.measures[0])
    assert row.n == (3, 4)
    assert row.pairs.seeds == (0, 2, 3)
    assert row.pairs.note == "paired over 3 common seeds of 3 and 4"


def test_values_that_do_not_vary_are_not_tested(tmp_path):
    axes = {"predict": ["x", "uu"], "p": ["1", "2", "3"]}
    found = results(tmp_path, axes, value=lambda v, seed: float(len(v["predict"])))[0]
    row = found["predict"][0]
    assert row.difference == -1
    assert math.isnan(row.p_holm)
    assert "no test" in row.note
    assert all("no test" in r.note for r in found["p"])


def test_a_measure_that_ranks_nothing_has_no_better_one(tmp_path):
    axes = {"predict": ["x", "uu"]}
    (row,) = results(tmp_path, axes, measure="samples")[0]["predict"]
    assert math.isnan(row.improvement)


def test_a_group_without_values_is_left_out(tmp_path):
    toy_study(tmp_path, {"predict": ["x", "uu", "vvv"]}, (0, 1, 2), noisy)
    for seed in (0, 1, 2):
        (tmp_path / "arms" / f"predict-vvv_seed-{seed}" / "toy" / "run.json").unlink()
    found = collect(tmp_path, ["distance_1"])
    (row,) = compare(families(found.table)[0], found, found.measures[0])
    assert (row.test, row.names) == ("Welch t", ("x", "uu"))


def test_a_group_of_one_seed_leaves_the_others_tested(tmp_path):
    toy_study(tmp_path, {"predict": ["x", "uu", "vvv"]}, (0, 1, 2), noisy)
    for seed in (1, 2):
        (tmp_path / "arms" / f"predict-vvv_seed-{seed}" / "toy" / "run.json").unlink()
    found = collect(tmp_path, ["distance_1"])
    whole, *pairs = compare(families(found.table)[0], found, found.measures[0])
    assert whole.names == ("x", "uu")
    assert whole.note == "without vvv, which has one seed"
    assert whole.p == pytest.approx(pairs[0].p)  # of two groups, both are Welch's t
    assert [math.isnan(r.p) for r in pairs] == [False, True, True]
    assert pairs[1].note == "a group has one seed: no test"
    assert math.isfinite(pairs[1].difference)
