"""Pairs of an image and a lesion mask: measured once, refused on unlike grids."""

import numpy as np
import pytest

from features.support import blob
from neuromf.data.volume import Volume, VolumeError, write_mask, write_volume
from neuromf.features import pairs
from neuromf.features.cache import Cache
from neuromf.features.extract import Frame, FrameError, Job
from neuromf.features.pairs import ImageAndMask, measure_pair, measure_pairs


@pytest.fixture
def job(tmp_path):
    return Job((), Cache(tmp_path / "cache"))


def written(folder, *, shift=0.0, shape=(32, 36, 32), flip=False):
    """Write an image and a mask of 4 x 5 x 6 voxels of 6 mm, moved by `shift` mm."""
    image = blob(0)
    voxels = np.zeros(shape, np.float32)
    voxels[8:12, 10:15, 12:18] = 1
    affine = image.affine.copy()
    affine[0, 3] += shift
    mask = Volume(voxels, affine)
    if flip:
        back = np.diag([-1.0, 1, 1, 1])
        back[0, 3] = shape[0] - 1
        mask = Volume(np.ascontiguousarray(voxels[::-1]), affine @ back)
    pair = ImageAndMask(folder / "a.nii.gz", folder / "a_lesion.nii.gz")
    write_volume(pair.image, image)
    write_mask(pair.mask, mask)
    return pair


def test_a_pair_is_measured_once(job, tmp_path, monkeypatch):
    pair = written(tmp_path)
    found = measure_pair(job, pair)
    assert found.numbers["ml"] == pytest.approx(120 * 0.216)
    monkeypatch.setattr(pairs, "measure_lesion", None)
    again = measure_pair(job, pair)
    assert again.numbers == found.numbers
    written(tmp_path, flip=True)  # another file: measured again
    with pytest.raises(TypeError):
        measure_pair(job, pair)


def test_orientations_may_differ(job, tmp_path):
    """A mask stored from right to left is the same mask."""
    found = measure_pair(job, written(tmp_path))
    again = measure_pair(job, written(tmp_path, flip=True))
    assert again.numbers == found.numbers
    assert np.array_equal(again.points, found.points)


@pytest.mark.parametrize("changes", [{"shape": (32, 36, 30)}, {"shift": 6.0}])
def test_a_mask_on_another_grid_is_refused(job, tmp_path, changes):
    pair = written(tmp_path, **changes)
    with pytest.raises(FrameError, match="has to be on the grid of its image"):
        measure_pairs([pair], job, 1, "made")


def test_bad_masks_are_told(job, tmp_path):
    pair = written(tmp_path)
    other = pair._replace(mask=tmp_path / "missing.nii.gz")
    odd = pair._replace(mask=tmp_path / "odd.nii.gz")
    write_volume(odd.mask, blob(0))
    found = measure_pairs([pair, other, odd], job, 1, "made")
    assert found[pair].numbers["components"] == 1
    assert found[other] == "the lesion mask is missing"
    assert "neither 0 nor 1" in found[odd]
    with pytest.raises(VolumeError, match="missing"):
        measure_pair(job, other)


def test_masks_are_brought_to_the_frame_of_their_images(tmp_path):
    """As large in ml on a grid of other voxels, and in the same place."""
    pair = written(tmp_path)
    frame = Frame((64, 72, 64), (3.0, 3.0, 3.0))
    fine = measure_pair(Job((), Cache(tmp_path / "cache"), "cpu", frame, resample=True), pair)
    own = measure_pair(Job((), Cache(tmp_path / "cache")), pair)
    assert fine.numbers["ml"] == pytest.approx(own.numbers["ml"])
    assert fine.spacing == pytest.approx((3, 3, 3))
    assert fine.points.mean(0) == pytest.approx(2 * own.points.mean(0) + 0.5)
    with pytest.raises(FrameError, match="resample=true"):
        measure_pair(Job((), Cache(tmp_path / "other"), "cpu", frame), pair)
