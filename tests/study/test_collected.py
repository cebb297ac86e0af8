"""Each arm has a value or a reason; measures are named shortly where that is not ambiguous."""

import math
import shutil

import pytest

from neuromf.study.collected import collect
from study.support import make_study, scored, state, toy, toy_study


def test_values_of_all_arms(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]}, value=lambda v, seed: float(v["p"]) + seed)
    found = collect(tmp_path)
    assert [m.name for m in found.measures] == ["distance_1", "distance_5", "composition_residual"]
    assert found.of_group("distance_1", "p-2") == {0: 2.0, 1: 3.0, 2: 4.0}
    assert found.unfinished == {}


def test_missing_values_say_why(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]})
    arms = tmp_path / "arms"
    shutil.rmtree(arms / "p-1_seed-0" / "toy")
    state(arms / "p-1_seed-0", "failed", step="toy", error=["first", "out of memory"])
    shutil.rmtree(arms / "p-1_seed-1")
    toy(arms / "p-2_seed-0" / "toy", distance_1=math.nan)
    (arms / "p-2_seed-1" / "toy" / "metrics.json").write_text('{"r4": {"distance_5": 1.0}}')
    (arms / "p-2_seed-2" / "toy" / "metrics.json").unlink()
    assert collect(tmp_path, ["distance_1"]).missing["distance_1"] == {
        "p-1_seed-0": "failed at toy: first",
        "p-1_seed-1": "not run",
        "p-2_seed-0": "not a finite number (nan)",
        "p-2_seed-1": "no such figure",
        "p-2_seed-2": "not readable (no metrics.json)",
    }


def test_names_and_patterns(tmp_path):
    steps = {"one": "evaluate", "fifty": "evaluate", "toy": "toy"}
    for name, *_ in make_study(tmp_path, {"p": ["1", "2"]}, (0,), steps):
        arm = tmp_path / "arms" / name
        scored(arm / "one", {"net/fid": 2.0, "other/fid": 4.0})
        scored(arm / "fifty", {"net/fid": 1.0})
        toy(arm / "toy")
    asked = collect(tmp_path, ["fifty/net/fid", "other/fid", "distance_*"])
    names = [m.name for m in asked.measures]
    assert names == ["fifty/net/fid", "other/fid", "distance_1", "distance_5"]
    assert asked.values["fifty/net/fid"] == {"p-1_seed-0": 1.0, "p-2_seed-0": 1.0}
    assert [m.name for m in collect(tmp_path, ["net/fid"]).measures] == [
        "one/net/fid",
        "fifty/net/fid",
    ]
    with pytest.raises(ValueError, match=r"'distance' is in no finished arm: known are .*net/fid"):
        collect(tmp_path, ["distance"])


def test_no_arm_has_finished(tmp_path):
    arms = make_study(tmp_path, {"p": ["1", "2"]})
    state(tmp_path / "arms" / arms[0][0], "failed", step="toy", error=["it broke"])
    with pytest.raises(ValueError, match=r"1 failed, 5 not run \(p-1_seed-0: .*it broke\)"):
        collect(tmp_path)


def test_a_study_under_way_shows_the_last_step_that_has_numbers(tmp_path):
    steps = {"toy": "toy", "evaluate": "evaluate"}
    for name, *_ in make_study(tmp_path, {"p": ["1", "2"]}, (0,), steps):
        toy(tmp_path / "arms" / name / "toy")
        state(tmp_path / "arms" / name, "running", step="evaluate")
    assert collect(tmp_path).measures[0].name == "distance_1"
