import json

import pytest

from data.support import touch
from neuromf.data.scans import find_scans


def test_bids(tmp_path):
    for name in (
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-02/ses-b/anat/sub-02_ses-b_run-1_T1w.nii",
        "derivatives/x/sub-01/anat/sub-01_T1w.nii.gz",
    ):
        touch(tmp_path / name)
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "Study"}))
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tage\tsex\tgroup\nsub-01\t20\tF\tpatient\nsub-02\tn/a\tM\tcontrol\n"
    )
    one, two = find_scans([str(tmp_path)])
    assert (one.subject, one.dataset, one.group, one.age, one.sex) == (
        "sub-01",
        "Study",
        "patient",
        "20",
        "F",
    )
    assert (two.subject, two.session, two.age) == ("sub-02", "b", "")
    assert len(find_scans([str(tmp_path)], contrast="T2w")) == 1


def test_files_that_macos_leaves_beside_others_are_no_scans(tmp_path):
    touch(tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    touch(tmp_path / "sub-01" / "anat" / "._sub-01_T1w.nii.gz")
    (scan,) = find_scans([str(tmp_path)])
    assert scan.path.endswith("/sub-01_T1w.nii.gz")


@pytest.mark.parametrize("content", ["{", "[1]", "3", '{"Name": null}', "[" * 100_000])
def test_a_description_that_describes_nothing(tmp_path, content):
    touch(tmp_path / "study" / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (tmp_path / "study" / "dataset_description.json").write_text(content)
    assert [s.dataset for s in find_scans([str(tmp_path / "study")])] == ["study"]


@pytest.mark.parametrize(
    "content",
    [
        "age\n3\n",
        "participant_id\tage\nsub-01\nsub-02\t3\t4\t5\n\n\tx\n",
        "",
        "participant_id\tage\nsub-01\t\n",
    ],
)
def test_odd_tables_of_participants(tmp_path, content):
    touch(tmp_path / "sub-01" / "anat" / "sub-01_T1w.nii.gz")
    (tmp_path / "participants.tsv").write_text(content)
    assert [s.age for s in find_scans([str(tmp_path)])] == [""]
