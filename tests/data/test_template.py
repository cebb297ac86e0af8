import numpy as np
import pytest

from neuromf.data import template
from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid, resample
from neuromf.data.template import mni152, mni152_mask, place_in_template, template_mask
from neuromf.data.volume import Volume, VolumeError
from neuromf.phantoms.labels import BRIGHTNESS, FLUID_AROUND
from support import REAL, needs_real_data, placed, rotation


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_the_template_is_a_brain():
    assert mni152().voxels.max() == 1
    assert 1800 < mni152_mask().sum() / 1000 < 2000  # ml
    grey, white = mni152("gm").voxels, mni152("wm").voxels
    assert (grey + white).max() < 1.02


FEW = template.STARTS[1::3]  # one height of two sizes: all take three times as long


def test_a_moved_template_is_found_again(monkeypatch):
    monkeypatch.setattr(template, "STARTS", FEW)
    moved = np.eye(4)
    moved[:3, :3] = rotation(8, 0) @ rotation(-5, 2) @ np.diag([0.92, 0.88, 0.9])
    moved[:3, 3] = [12, -7, 15]
    half = resample(mni152(), Grid((98, 116, 94), mni152().affine @ np.diag([2, 2, 2, 1])))
    scan = Volume(half.voxels, moved @ half.affine)
    found = place_in_template(scan)
    points = np.array([[x, y, z, 1.0] for x in (-60, 60) for y in (-90, 60) for z in (-30, 60)])
    assert np.linalg.norm((points @ (found - moved).T)[:, :3], axis=1).max() < 2.0  # mm, one voxel


def test_what_is_no_head_is_refused():
    noise = np.random.default_rng(0).random((12, 12, 12), np.float32)
    with pytest.raises(VolumeError, match="template: "):
        place_in_template(Volume(noise, placed(spacing=(1, 1, 1))))


@needs_real_data
@pytest.mark.parametrize(("number", "starts"), [("04", FEW), ("12", template.STARTS)])
def test_mask_against_the_labels_of_a_whole_head(monkeypatch, number, starts):
    """A T1-weighted head drawn from a real label map with known brain."""
    monkeypatch.setattr(template, "STARTS", starts)
    labels = read_volume(REAL / "labels" / f"synthseg_training_seg_{number}.nii.gz").canonical()
    small = labels.voxels[::2, ::2, ::2].astype(int)
    affine = labels.affine @ np.diag([2, 2, 2, 1])
    table = np.zeros(small.max() + 1, np.float32)
    table[500:] = 0.55  # skin, bone, fat
    for label, value in BRIGHTNESS.items():
        if label <= small.max():
            table[label] = value
    table[FLUID_AROUND] = 0.2
    rng = np.random.default_rng(0)
    scan = Volume(table[small] + 0.03 * rng.standard_normal(small.shape).astype(np.float32), affine)
    brain = np.isin(small, [k for k in BRIGHTNESS if k != FLUID_AROUND])
    mask, record = template_mask(scan)
    assert record["template"].startswith("MNI152")
    assert brain[mask].sum() / brain.sum() > 0.97  # little of the brain is lost
    assert dice(mask, brain) > 0.80  # the mask holds the fluid around the brain too
