"""Along an axis, groups that agree in all other axes are compared, and no others."""

import pytest

from neuromf.study.families import families
from neuromf.study.folder import read_table
from study.support import make_study


def planned(tmp_path, axes, baseline=""):
    make_study(tmp_path, axes)
    return families(read_table(tmp_path), baseline)


def test_each_axis_is_a_family(tmp_path):
    found = planned(tmp_path, {"predict": ["x", "u"], "p": ["1", "1.5", "2"]})
    assert [f.name for f in found] == ["predict", "p"]
    predict, p = (f.slices for f in found)
    assert [s.at for s in predict] == ["p = 1", "p = 1.5", "p = 2"]
    assert predict[0].groups == {"predict-x_p-1": "x", "predict-u_p-1": "u"}
    assert [list(s.groups.values()) for s in p] == [["1", "1.5", "2"]] * 2


def test_an_axis_of_one_value_is_none(tmp_path):
    assert [f.name for f in planned(tmp_path, {"p": ["1"], "q": ["a", "b"]})] == ["q"]
    assert planned(tmp_path, {"p": ["1"]}) == []


def test_all_against_a_baseline(tmp_path):
    family = planned(tmp_path, {"p": ["1", "2", "3"]}, "p-2")[-1]
    assert [list(s.groups) for s in family.slices] == [["p-1", "p-2"], ["p-3", "p-2"]]
    with pytest.raises(ValueError, match="no group of the study: p-1, p-2, p-3"):
        planned(tmp_path, {"p": ["1", "2", "3"]}, "2")
