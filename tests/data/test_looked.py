import numpy as np

from neuromf.data.looked import first_of_each, shown_files
from neuromf.data.volume import Volume, write_volume


def test_files_for_the_viewer(tmp_path):
    good, bad = tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"
    write_volume(
        good,
        Volume(np.random.default_rng(0).random((16, 17, 18), np.float32), np.diag([2.0, 2, 2, 1])),
    )
    bad.write_bytes(b"none")
    found = shown_files({"good": good, "bad": bad, "gone": tmp_path / "c.nii.gz"})
    assert [v.name for v in found] == ["good"]


def test_the_first_of_each_set(tmp_path):
    sets = {"x": [tmp_path / "a.nii.gz", tmp_path / "b.nii"], "real": [tmp_path / "c.mgz"]}
    assert list(first_of_each(sets, 1)) == ["x: a", "real: c"]
    assert list(first_of_each(sets, 2)) == ["x: a", "real: c", "x: b"]


def test_files_of_one_name_are_all_shown(tmp_path):
    paths = [tmp_path / "s1" / "T1.nii.gz", tmp_path / "s2" / "T1.nii.gz"]
    found = first_of_each({"samples": paths}, 2)
    assert found == {"samples: s1/T1": paths[0], "samples: s2/T1": paths[1]}
