"""The table of a study is read, and refused with the reason where it is none."""

import json

import pytest

from neuromf.runtime.records import RecordError
from neuromf.study.record import read_arms, read_state
from study.support import make_study, state


def test_a_table_is_read(tmp_path):
    make_study(tmp_path, {"predict": ["x", "u"], "p": ["1", "2"]}, seeds=(0, 1))
    table = read_arms(tmp_path)
    assert len(table.arms) == 8
    assert list(table.groups) == [
        "predict-x_p-1",
        "predict-x_p-2",
        "predict-u_p-1",
        "predict-u_p-2",
    ]
    assert table.groups["predict-u_p-1"] == {"predict": "u", "p": "1"}


def test_what_is_no_study(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no study\.json.*neuromf sweep"):
        read_arms(tmp_path)
    make_study(tmp_path, {"p": ["1", "2"]})
    record = json.loads((tmp_path / "study.json").read_text())
    for change, said in (
        ({"format": 7}, "format 7"),
        ({"arms": [*record["arms"], record["arms"][0]]}, "two arms of p-1 have seed 0"),
        ({"seeds": "none"}, "seeds"),
    ):
        (tmp_path / "study.json").write_text(json.dumps(record | change))
        with pytest.raises(RecordError, match=said):
            read_arms(tmp_path)


def test_states(tmp_path):
    assert read_state(tmp_path).state == "waiting"
    state(tmp_path, "failed", step="train", error=["a", "b"], host="h", process=3)
    found = read_state(tmp_path)
    assert (found.state, found.step, found.error) == ("failed", "train", ["a", "b"])
    (tmp_path / "state.json").write_text("{")
    assert read_state(tmp_path).state == "waiting"
