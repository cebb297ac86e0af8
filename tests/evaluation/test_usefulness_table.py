import json

import pytest

from neuromf.evaluation.usefulness_table import Row, grouped, summarise, table


def row(arm, size, fold, seed, dice):
    return Row(arm, size, fold, seed, "abc"[fold], dice, 1.0, 1.0, 1.0)


ROWS = [
    *(row("real", 2, f, s, 0.2 + 0.1 * f + 0.02 * s) for f in range(3) for s in (0, 1)),
    *(row("real+generated", 2, f, s, 0.3 + 0.1 * f + 0.02 * s) for f in range(3) for s in (0, 1)),
    *(row("generated", 0, f, 0, 0.1 * f) for f in range(3)),
]


def lines(rows=ROWS, arms=("real", "real+generated", "generated"), sizes=(2,)):
    return {(line["size"], line["arm"]): line for line in summarise(rows, arms, sizes)["lines"]}


def test_seeds_are_averaged_before_people():
    real = lines()[2, "real"]
    assert real["each"] == pytest.approx({"a": 0.21, "b": 0.31, "c": 0.41})
    assert real["dice"] == pytest.approx(0.31)
    assert (real["cases"], real["seeds"]) == (3, 2)
    # three cases at 0.1 from each other: t(2 degrees of freedom) 4.303 / sqrt(3)
    low, high = real["dice_interval"]
    assert (high - low) / 2 == pytest.approx(4.3027 * 0.1 / 3**0.5, abs=1e-4)
    assert real["seed_sd"] == pytest.approx(0.02 / 2**0.5, abs=1e-5)
    assert "difference" not in real


def test_differences_are_of_the_same_person_and_seed():
    both = lines()[2, "real+generated"]
    assert both["difference"] == pytest.approx(0.1)
    assert both["difference_interval"] == pytest.approx([0.1, 0.1])
    assert both["better"] == 3

    # of seed 0 alone, which both arms have: 0.1 f - (0.2 + 0.1 f)
    generated = lines()[2, "generated"]
    assert generated["difference"] == pytest.approx(-0.2)
    assert generated["difference_interval"] == pytest.approx([-0.2, -0.2])
    assert generated["better"] == 0


def test_an_arm_without_real_pairs_stands_at_every_size():
    more = [*ROWS, *(row("real", 1, f, 0, 0.1) for f in range(3))]
    found = lines(more, ("real", "generated"), (1, 2))
    assert found[1, "generated"]["dice"] == found[2, "generated"]["dice"] == pytest.approx(0.1)
    assert found[1, "generated"]["difference"] == pytest.approx(0.0)
    assert found[2, "generated"]["difference"] == pytest.approx(-0.2)


def test_one_case_has_no_interval():
    one = summarise([row("real", 2, 0, 0, 0.5)], ["real"], [2])
    assert one["lines"][0]["dice_interval"] == [None, None]
    assert one["lines"][0]["seed_sd"] is None
    json.dumps(one, allow_nan=False)
    assert table(one).splitlines()[1].split() == ["2", "real", "1", "1", "0.500", "-", "-"]


def test_without_the_real_arm_there_are_no_differences():
    assert all("difference" not in line for line in lines(arms=("generated",)).values())


def test_the_table_says_what_a_case_is():
    text = table(summarise(ROWS, ("real", "real+generated"), (2,)))
    assert "A case is a real person who is left out" in text
    assert text.splitlines()[2].split()[-1] == "3/3"
    assert "+0.100 (+0.100, +0.100)" in text


def test_rows_are_grouped_by_person_and_seed():
    assert grouped(ROWS, "generated", 0) == {"a": {0: 0.0}, "b": {0: 0.1}, "c": {0: 0.2}}
    assert grouped(ROWS, "generated", 2) == {}
