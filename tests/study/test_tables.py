"""What is told of a study is whole: warnings for each arm that is not there, tests, limits."""

import shutil

import pytest

from neuromf.study.tables import tables_of
from study.support import state, toy_study


def test_tables_are_repeatable_and_whole(tmp_path):
    toy_study(tmp_path, {"predict": ["x", "u"], "p": ["1", "2"]}, (0, 1, 2, 3, 4))
    tables = tables_of(tmp_path, ["distance_1"], "predict-x_p-1")
    again = tables_of(tmp_path, ["distance_1"], "predict-x_p-1")
    assert repr(tables) == repr(again)  # NaN is no equal of itself
    assert [r.family for r in tables.results] == [*["predict"] * 2, *["p"] * 2, *["baseline"] * 3]
    assert tables.warnings == []
    assert len(tables.summaries) == 4
    assert tables.front is None


def test_warnings(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]})
    arms = tmp_path / "arms"
    shutil.rmtree(arms / "p-1_seed-0" / "toy")
    state(arms / "p-1_seed-0", "failed", step="toy", error=["it broke"])
    (arms / "p-2_seed-0" / "toy" / "metrics.json").write_text('{"r4": {"distance_5": 1.0}}')
    assert tables_of(tmp_path, ["distance_1"]).warnings == [
        "p-1_seed-0: failed at toy: it broke",
        "p-2_seed-0: distance_1 is missing, no such figure",
    ]


def test_a_baseline_that_is_no_group(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]})
    with pytest.raises(ValueError, match="no group"):
        tables_of(tmp_path, baseline="p=1")
