"""Rows have empty cells, not NaN, and say what is missing."""

import json

from neuromf.study.rows import arm_rows, group_rows, number, result_rows
from neuromf.study.tables import tables_of
from study.support import toy_study


def test_rows(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]}, (0, 1), lambda v, seed: float(v["p"]) + seed**2)
    (tmp_path / "arms" / "p-2_seed-1" / "toy" / "run.json").unlink()
    tables = tables_of(tmp_path, ["distance_1"])
    groups, arms, tests = (
        group_rows(tables.summaries),
        arm_rows(tables.collected),
        result_rows(tables.results),
    )
    json.dumps([groups, arms, tests], allow_nan=False)
    assert groups[1]["n"] == 1
    assert groups[1]["std"] is None
    assert groups[1]["missing_seeds"] == "1"
    assert groups[0]["axis.p"] == "1"
    assert [row["distance_1"] for row in arms] == [1.0, 2.0, 2.0, None]
    assert arms[3]["missing"] == "distance_1: not run"
    (test,) = tests
    assert (test["comparison"], test["n"], test["p"]) == ("1 − 2", "2 1", None)
    assert "1 seed" in test["note"]


def test_numbers():
    assert number(1.5) == 1.5
    assert number(float("nan")) is number(float("inf")) is None
