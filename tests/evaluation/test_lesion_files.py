"""Lesion masks lie beside their images, as prepare or as generate writes them."""

import pytest

from neuromf.evaluation.lesion_files import lesion_beside

OF_BIDS = "sub-00017_label-lesion_desc-generated_mask.nii.gz"


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("p1.nii.gz", "p1_lesion.nii.gz"),
        ("sub-00017_desc-generated_FLAIR.nii.gz", OF_BIDS),
        ("sub-1_ses-a_FLAIR.nii.gz", "sub-1_ses-a_label-lesion_mask.nii.gz"),
    ],
)
def test_masks_are_found(tmp_path, image, mask):
    assert lesion_beside(tmp_path / image) is None
    (tmp_path / mask).touch()
    assert lesion_beside(tmp_path / image) == tmp_path / mask


@pytest.mark.parametrize(
    "mask",
    [
        "sub-00018_label-lesion_desc-generated_mask.nii.gz",  # of another person
        "sub-00017_desc-generated_mask.nii.gz",  # of the brain
        "sub-00017_ses-b_label-lesion_desc-generated_mask.nii.gz",
        "sub-00017_label-lesion_desc-generated_mask.json",
    ],
)
def test_other_masks_are_not_taken(tmp_path, mask):
    (tmp_path / mask).touch()
    assert lesion_beside(tmp_path / "sub-00017_desc-generated_FLAIR.nii.gz") is None
