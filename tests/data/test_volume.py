from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuromf.data.volume import Volume, VolumeError, refuse_values, stems, write_mask, write_volume
from support import AFFINES, egg


def test_nothing_broken_is_written(tmp_path):
    volume = egg(AFFINES["straight"])
    broken = Volume(np.where(volume.voxels > 700, np.nan, volume.voxels), volume.affine)
    for write in (write_volume, lambda path, v: v.save(path)):
        with pytest.raises(VolumeError, match="voxels are NaN or Inf: it is not written"):
            write(tmp_path / "a.nii.gz", broken)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_a_volume_saves_itself_to_the_last_bit(tmp_path, name):
    volume = egg(AFFINES["oblique"])
    volume.save(tmp_path / name)
    image = nib.load(tmp_path / name)
    assert np.array_equal(image.get_fdata(dtype=np.float32), volume.voxels)
    assert image.affine == pytest.approx(volume.affine, abs=1e-4)
    assert volume.to_nibabel().get_data_dtype() == np.float32
    with pytest.raises(VolumeError, match="is saved as .nii"):
        volume.save(tmp_path / "a.mgz")


def test_a_volume_says_what_it_is_in_one_line():
    said = repr(egg(AFFINES["straight"]))
    assert said.startswith("Volume(76 x 88 x 72 voxels of 2 x 2 x 2 mm, values 0 to ")


def test_a_mask_is_stored_as_zeros_and_ones(tmp_path):
    whole = egg(AFFINES["oblique"])
    mask = Volume((whole.voxels > 300).astype(np.float32), whole.affine)
    write_mask(tmp_path / "m.nii.gz", mask)
    image = nib.load(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(image.dataobj), mask.voxels)
    for write in (write_mask, refuse_values):
        with pytest.raises(VolumeError, match="neither 0 nor 1"):
            write(tmp_path / "n.nii.gz", whole)
    assert not (tmp_path / "n.nii.gz").exists()


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("s1/mask.nii.gz", "s2/mask.nii.gz", "x.nii"), ["s1/mask", "s2/mask", "x"]),
        (("/a/1/anat/m.nii", "/a/2/anat/m.nii"), ["1/anat/m", "2/anat/m"]),
        (("m.nii", "a/m.nii"), ["m", "a/m"]),
        (("a/m.nii", "a/m.nii.gz", "a/n.nii"), ["m.nii", "m.nii.gz", "n"]),
        (("/1/m.nii", "/1/m.mgz", "/2/m.nii"), ["m.nii", "m.mgz", "m"]),
    ],
)
def test_names_tell_files_apart(paths, names):
    found = stems([Path(path) for path in paths])
    assert found == names
    assert len(set(found)) == len(paths)
