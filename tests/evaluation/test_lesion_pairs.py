import numpy as np
import pytest
import torch

from evaluation.support import generated_pairs, lesion_pair, prepared_pairs
from neuromf.data.volume import Volume, VolumeError, write_mask
from neuromf.evaluation.lesion_pairs import read_pairs, refuse_other_grids
from support import placed


def test_a_prepared_set_has_the_people_who_were_copied(tmp_path):
    folder = prepared_pairs(tmp_path / "copies", ["P1-copy0", "P2-copy1"], ["P1", "P2"])
    pairs = read_pairs(str(folder), "simulated")
    assert [(pair.name, pair.person) for pair in pairs] == [("P1-copy0", "p1"), ("P2-copy1", "p2")]
    for pair in pairs:
        inside = pair.image[pair.brain].double()
        assert inside.mean().abs() < 1e-3
        assert inside.std() == pytest.approx(1, abs=1e-3)
        assert not pair.image[~pair.brain].any()
        # balls are bright: the mask lies where the image says
        assert pair.image[pair.lesion].double().min() > inside.mean() + 2
        assert pair.spacing == pytest.approx((2, 2, 2))


def test_a_generated_set_is_nobodys(tmp_path):
    pairs = read_pairs(str(generated_pairs(tmp_path / "samples", 3)), "generated")
    assert [(pair.name, pair.person) for pair in pairs] == [(f"sub-0000{i}", "") for i in range(3)]
    assert all(pair.lesion.any() for pair in pairs)


def test_sets_without_masks_are_refused(tmp_path):
    folder = prepared_pairs(tmp_path / "plain", ["a", "b"], masks=False)
    with pytest.raises(VolumeError, match="real=.*none of its images has a lesion mask"):
        read_pairs(str(folder), "real")
    with pytest.raises(FileNotFoundError, match="real=.*neither a manifest.csv.*nor sub-"):
        read_pairs(str(tmp_path), "real")

    samples = generated_pairs(tmp_path / "samples", 2)
    masks = sorted(samples.glob("sub-*/anat/*_mask.nii.gz"))
    masks[1].unlink()
    with pytest.raises(VolumeError, match=r"1 of 2 images have no mask \(sub-00001"):
        read_pairs(str(samples), "generated")
    masks[0].unlink()
    with pytest.raises(VolumeError, match="none of its images has a lesion mask"):
        read_pairs(str(samples), "generated")


def test_a_mask_on_another_grid_is_refused(tmp_path):
    samples = generated_pairs(tmp_path / "samples", 1)
    (mask,) = samples.glob("sub-*/anat/*_mask.nii.gz")
    write_mask(mask, Volume(np.ones((8, 8, 8), np.float32), placed()))
    with pytest.raises(VolumeError, match=r"sub-00000: its image has \(24, 24, 24\).*mask \(8"):
        read_pairs(str(samples), "generated")


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (lesion_pair("b", side=16), "16 x 16 x 16 voxels of 2 x 2 x 2 mm"),
        (lesion_pair("b", spacing=(1.0, 1.0, 1.0)), "24 x 24 x 24 voxels of 1 x 1 x 1 mm"),
    ],
)
def test_sets_of_two_grids_are_refused(other, told):
    refuse_other_grids({"real": [lesion_pair()], "generated": [lesion_pair("b")]})
    with pytest.raises(VolumeError, match=f"generated: b has {told}, real: a has 24 x 24 x 24"):
        refuse_other_grids({"real": [lesion_pair()], "generated": [other]})


def test_sets_take_two_bytes_a_voxel():
    assert lesion_pair().image.dtype == torch.float16
