from pathlib import Path

import pytest

from data.support import touch
from neuromf.data.bids_lesions import Named
from neuromf.data.scans import find_scans


@pytest.mark.parametrize(
    "name",
    [
        "sub-1_label-lesion_mask",
        "sub-1_ses-1_space-orig_desc-lesion_mask",
        "sub-1_acq-T2sel_FLAIR_roi",
        "sub-1_lesion",
        "sub-1_T1w_lesion",
        "sub-1_ses-1_label-L_desc-T1lesion_mask",
        "sub-1_lesion-msk",
        "sub-1_label-Lesion_roi",
        "sub-1_label-R_roi",
        "sub-1_desc-lesions_dseg",
    ],
)
def test_names_of_lesion_masks(name):
    assert Named.of(Path(f"{name}.nii.gz")).is_lesion()


@pytest.mark.parametrize(
    "name",
    [
        "sub-1_mask",
        "sub-1_desc-brain_mask",
        "sub-1_label-brain_mask",
        "sub-1_label-L_mask",
        "sub-1_label-hippocampus_roi",
        "sub-1_desc-brain_roi",
        "sub-1_desc-nonlesion_mask",
        "sub-1_desc-lesionfilled_T1w",
        "sub-1_desc-lesionfilled_mask",
        "sub-1_FLAIR",
        "sub-lesion_T1w",
        "sub-lesion_mask",
        "sub-1_dseg",
        "sub-1_label-lesion_probseg",
    ],
)
def test_names_of_other_files(name):
    assert not Named.of(Path(f"{name}.nii.gz")).is_lesion()


@pytest.fixture
def tree(tmp_path):
    for subject in ("sub-01", "sub-02"):
        touch(tmp_path / subject / "anat" / f"{subject}_FLAIR.nii.gz")
        touch(tmp_path / subject / "anat" / f"{subject}_T1w.nii.gz")
    return tmp_path


def lesions(root, contrast="FLAIR"):
    return {s.full_name: Path(s.lesion).name for s in find_scans([str(root)], contrast)}


def test_masks_go_to_their_subject(tree):
    touch(tree / "derivatives" / "lesions" / "sub-02" / "anat" / "sub-02_label-lesion_mask.nii.gz")
    touch(tree / "derivatives" / "brains" / "sub-01" / "anat" / "sub-01_desc-brain_mask.nii.gz")
    assert lesions(tree) == {"sub-01": "", "sub-02": "sub-02_label-lesion_mask.nii.gz"}
    (one, two) = find_scans([str(tree)], "FLAIR")
    assert Path(two.lesion).is_file()
    assert one.problem == two.problem == ""


def test_a_mask_beside_its_image_and_of_one_contrast(tree):
    touch(tree / "sub-01" / "anat" / "sub-01_FLAIR_roi.nii.gz")
    assert lesions(tree)["sub-01"] == "sub-01_FLAIR_roi.nii.gz"
    assert lesions(tree, "T1w")["sub-01"] == ""
    assert [s.subject for s in find_scans([str(tree)], "FLAIR")] == ["sub-01", "sub-02"]


def test_sessions_runs_and_spaces_are_told_apart(tmp_path, caplog):
    for session in "ab":
        name = f"sub-1_ses-{session}"
        touch(tmp_path / "sub-1" / f"ses-{session}" / "anat" / f"{name}_run-1_FLAIR.nii.gz")
        touch(tmp_path / "derivatives" / "sub-1" / f"ses-{session}" / f"{name}_lesion.nii.gz")
    touch(tmp_path / "derivatives" / "sub-1" / "ses-a" / "sub-1_ses-a_run-2_lesion.nii.gz")
    touch(tmp_path / "derivatives" / "sub-1" / "ses-a" / "sub-1_ses-a_space-MNI152_lesion.nii.gz")
    assert lesions(tmp_path) == {
        "sub-1_ses-a": "sub-1_ses-a_lesion.nii.gz",
        "sub-1_ses-b": "sub-1_ses-b_lesion.nii.gz",
    }
    assert "2 lesion masks match no scan" in caplog.text


def test_two_masks_are_refused_and_both_named(tree):
    touch(tree / "derivatives" / "one" / "sub-01" / "sub-01_lesion.nii.gz")
    touch(tree / "derivatives" / "two" / "sub-01" / "sub-01_desc-lesion_mask.nii.gz")
    one, two = find_scans([str(tree)], "FLAIR")
    assert one.lesion == ""
    assert "has 2 lesion masks" in one.problem
    assert "one/sub-01/sub-01_lesion.nii.gz" in one.problem
    assert "sub-01_desc-lesion_mask.nii.gz: name one in a table" in one.problem
    assert two.problem == ""


def test_files_that_macos_leaves_beside_others_are_no_masks(tree):
    folder = tree / "derivatives" / "lesions" / "sub-01" / "anat"
    touch(folder / "sub-01_label-lesion_mask.nii.gz")
    touch(folder / "._sub-01_label-lesion_mask.nii.gz")
    one, _ = find_scans([str(tree)], "FLAIR")
    assert one.problem == ""
    assert Path(one.lesion).name == "sub-01_label-lesion_mask.nii.gz"


def test_what_neuromf_wrote_is_no_derivative(tree):
    folder = tree / "derivatives" / "volumes"
    touch(folder / "sub-01_lesion.nii.gz")
    assert lesions(tree)["sub-01"] == "sub-01_lesion.nii.gz"
    for name in ("run.json", "config.yaml"):
        touch(folder / name)
    assert lesions(tree)["sub-01"] == ""
