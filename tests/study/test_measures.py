"""Every verb's files give named numbers with their directions; what is not there says why."""

import json

import pytest

from neuromf.study.measures import read_measures
from study.support import finished, scored, toy


def test_a_toy(tmp_path):
    found = read_measures("toy", toy(tmp_path / "one", distance_1=0.25))
    assert found["distance_1"][:2] == (0.25, "lower")
    assert found["samples"].better == "none"
    assert found["seconds"][:2] == (12.5, "lower")
    both = json.dumps({"r4-x": {"distance_1": 1.0}, "r4-u": {"distance_1": 2.0}})
    several = read_measures("toy", finished(tmp_path / "two", metrics__json=both))
    assert several["r4-u/distance_1"].value == 2


def test_an_evaluation(tmp_path):
    found = read_measures("evaluate", scored(tmp_path, {"net/fid": 3.5, "voxels/ssim": 0.7}))
    assert found["net/fid"] == (3.5, "lower", "net/fid")
    assert found["voxels/ssim"].better == "none"


def test_a_training_ends_with_its_last_rows(tmp_path):
    log = "update,raw,raw_interval,lr\n1,5.0,nan,0.1\n200,1.5,nan,0.1\n"
    held_out = "update,v_linear,swd\n100,1.2,0.4\n200,0.9,\n"
    found = read_measures("train", finished(tmp_path, log__csv=log, evaluation__csv=held_out))
    assert (found["raw"].value, found["update"].value) == (1.5, 200)
    assert found["held_out/v_linear"][:2] == (0.9, "lower")
    assert "held_out/swd" not in found
    assert found["lr"].better == "none"


def test_other_verbs(tmp_path):
    timing = json.dumps({"volumes": 4, "seconds": {"network": 2.0, "total": 8.0}})
    generated = read_measures("generate", finished(tmp_path / "g", timing__json=timing))
    assert generated["network_seconds"][:2] == (0.5, "lower")
    table = "condition,set,n,measure,value,low,high\nage,held-out people,16,r,0.8,0.5,0.9\n"
    asked = read_measures("conditions", finished(tmp_path / "c", conditions__csv=table))
    assert asked["age/held-out people/r"][:2] == (0.8, "higher")
    line = {"size": 3, "arm": "real+generated", "dice": 0.4, "difference": 0.1}
    useful = json.dumps({"lines": [line]})
    found = read_measures("usefulness", finished(tmp_path / "u", usefulness__json=useful))
    assert found["real+generated@3/dice"].value == 0.4
    assert list(read_measures("encode", finished(tmp_path / "e"))) == ["seconds"]


def test_what_cannot_be_read_says_why(tmp_path):
    with pytest.raises(ValueError, match="not run"):
        read_measures("toy", tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"no metrics\.json"):
        read_measures("toy", finished(tmp_path / "empty"))
    with pytest.raises(ValueError, match="not readable"):
        read_measures("toy", finished(tmp_path / "bad", metrics__json="[1]"))
    with pytest.raises(ValueError, match="not readable"):
        read_measures("train", finished(tmp_path / "cut", log__csv="update,raw\n"))
    folder = toy(tmp_path / "killed")
    (folder / "run.json").write_text(json.dumps({"state": "running"}))
    with pytest.raises(ValueError, match="not finished.*running"):
        read_measures("toy", folder)
