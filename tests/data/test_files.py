import shlex
from pathlib import Path

import pytest

from neuromf.data.files import convert_dicom, folders_below, place_in
from neuromf.data.scans import find_scans


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_what_we_wrote_is_no_match_of_a_pattern(tmp_path, caplog, monkeypatch):
    touch(tmp_path / "study" / "a.nii.gz")
    for name in ("run.json", "config.yaml", "b.nii.gz", "deep/c.nii.gz"):
        touch(tmp_path / "study" / "out" / name)
    monkeypatch.chdir(tmp_path)
    for pattern in (
        "study/**/*.nii.gz",
        str(tmp_path / "study" / "**" / "*.nii.gz"),
        "**/*.nii.gz",
        "study",
    ):
        caplog.clear()
        assert [s.subject for s in find_scans([pattern])] == ["a"]
        assert "out: 2 volumes that neuromf wrote there are left out" in caplog.text
    with pytest.raises(FileNotFoundError, match="was written by neuromf; give the scans"):
        find_scans(["study/out/*.nii.gz"])


def test_a_run_above_the_pattern_says_nothing_of_the_scans(tmp_path):
    for name in ("run.json", "config.yaml", "scans/a.nii"):
        touch(tmp_path / name)
    assert [s.subject for s in find_scans([str(tmp_path / "scans" / "*.nii")])] == ["a"]


@pytest.mark.parametrize("name", ["1.dcm", "deep/IM0001", "a.IMA"])
def test_dicom_is_told_with_the_way(tmp_path, name):
    touch(tmp_path / "study" / name).write_bytes(bytes(128) + b"DICM" + bytes(100))
    for source in (tmp_path / "study", tmp_path / "study" / "**" / "*"):
        with pytest.raises(
            FileNotFoundError, match=r"holds DICOM \(.*import-dicom '?input=.* out=FOLDER"
        ):
            find_scans([str(source)])


def test_folders_come_in_the_order_of_their_names_each_once(tmp_path):
    """Also through links, and where a link leads back up."""
    for name in ("b/2", "b/1", "a/3", "c/x"):
        touch(tmp_path / "top" / name)
    touch(tmp_path / "elsewhere" / "4")
    (tmp_path / "top" / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "top" / "c" / "up").symlink_to(tmp_path / "top")
    found = [(Path(here).name, names) for here, _, names in folders_below(tmp_path / "top")]
    assert found == [("top", []), ("a", ["3"]), ("linked", ["4"]), ("b", ["1", "2"]), ("c", ["x"])]


def test_a_table_of_windows_names_files_here(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.nii").touch()
    assert place_in(tmp_path, "a\\b.nii") == tmp_path / "a" / "b.nii"
    assert place_in(tmp_path, "a/b.nii") == tmp_path / "a" / "b.nii"
    assert place_in(tmp_path, str(tmp_path / "c")) == tmp_path / "c"
    (tmp_path / "a\\b.nii").touch()  # a name that a file has here wins
    assert place_in(tmp_path, "a\\b.nii") == tmp_path / "a\\b.nii"
    assert place_in(tmp_path, "C:\\a\\b.nii") == tmp_path / "C:\\a\\b.nii"  # not to be found here


def test_the_command_for_dicom_works_in_folders_with_spaces(tmp_path):
    told = convert_dicom(tmp_path / "my scans" / "a.dcm")
    words = shlex.split(told.partition(": ")[2].partition(", then")[0])
    assert words == ["neuromf", "import-dicom", f"input={tmp_path / 'my scans'}", "out=FOLDER"]
