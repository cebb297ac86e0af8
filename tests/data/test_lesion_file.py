from dataclasses import replace

import numpy as np
import pytest

from neuromf.data.lesion_file import lesion_ml, lesion_path, read_lesion, remove_lesion, save_lesion
from neuromf.data.volume import Volume, VolumeError
from neuromf.runtime.files import write_json
from support import placed


@pytest.fixture
def mask():
    voxels = np.zeros((8, 9, 10), np.float32)
    voxels[2:4, 3:6, 4:8] = 1
    return Volume(voxels, placed(spacing=(2.0, 2.0, 2.0)))


def test_a_mask_is_read_as_it_was_written(tmp_path, mask):
    path = lesion_path(tmp_path, "s1")
    record = save_lesion(path, mask, mask)
    assert path.name == "s1_lesion.nii.gz"
    assert record["lesion_ml"] == lesion_ml(mask) == pytest.approx(24 * 8 / 1000)
    back = read_lesion(path)
    assert np.array_equal(back.voxels, mask.voxels)
    np.testing.assert_allclose(back.affine, mask.affine, atol=1e-5)


def test_an_empty_mask_is_read_too(tmp_path, mask):
    empty = replace(mask, voxels=0 * mask.voxels)
    assert save_lesion(tmp_path / "e.nii.gz", mask, empty)["lesion_ml"] == 0
    assert not read_lesion(tmp_path / "e.nii.gz").voxels.any()


def test_the_mask_of_an_earlier_run_goes_and_nobody_elses(tmp_path, mask):
    path = lesion_path(tmp_path, "s1")
    record = save_lesion(path, mask, mask)
    remove_lesion(tmp_path, "s1")
    for other in ({}, {"lesion_sha256": "0" * 64}):
        write_json(tmp_path / "s1.json", other)
        remove_lesion(tmp_path, "s1")
    assert path.exists()

    write_json(tmp_path / "s1.json", record)
    for _ in range(2):
        remove_lesion(tmp_path, "s1")
    assert not path.exists()
    with pytest.raises(VolumeError, match="the lesion mask is missing"):
        read_lesion(path)


def test_other_grids_and_values_are_refused(tmp_path, mask):
    path = tmp_path / "m.nii.gz"
    for other in (
        Volume(mask.voxels[:-1], mask.affine),
        Volume(mask.voxels, placed(spacing=(2.0, 2.0, 1.9))),
    ):
        with pytest.raises(VolumeError, match="one grid for both is needed"):
            save_lesion(path, mask, other)
    with pytest.raises(VolumeError, match=r"neither 0 nor 1 \(0.5"):
        save_lesion(path, mask, replace(mask, voxels=mask.voxels / 2))
    assert not path.exists()
