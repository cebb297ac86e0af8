import numpy as np
import pytest

from neuromf.data.volume import Volume, VolumeError
from neuromf.evaluation.mask_reading import mask_files, read_mask, surroundings
from support import placed, save_nifti


def lesion(shape=(40, 44, 36), start=16, side=6, value=1.0, **how):
    voxels = np.zeros(shape, np.float32)
    voxels[start : start + side, start : start + side, start : start + side] = value
    return Volume(voxels, placed(**how))


def test_a_mask_on_its_own_grid_is_only_cropped_and_padded(tmp_path):
    volume = lesion()
    mask = read_mask(save_nifti(tmp_path / "a.nii.gz", volume), "a", 2.0, 4)
    assert mask.voxels.sum() == 6**3
    assert mask.ml == pytest.approx(6**3 * 0.008)
    assert mask.original_ml == pytest.approx(6**3 * 0.008)
    assert all(n % 4 == 0 for n in mask.voxels.shape)
    # 6 voxels of 2 mm on either side
    assert mask.voxels.shape == (20, 20, 20)


@pytest.mark.parametrize("value", [1.0, 255.0])
@pytest.mark.parametrize(
    "how",
    [
        {"spacing": (1.0, 1.0, 1.0)},
        {"spacing": (0.8, 1.0, 3.0), "flips": (-1, 1, -1)},
        {"spacing": (1.0, 1.2, 1.5), "order": (2, 0, 1), "degrees": 12.0},
    ],
    ids=["1 mm", "anisotropic", "oblique"],
)
def test_resampling_keeps_the_volume(tmp_path, how, value):
    volume = lesion(side=12, value=value, **how)
    mask = read_mask(save_nifti(tmp_path / "a.nii.gz", volume), "a", 2.0, 4)
    assert mask.original_ml == pytest.approx(12**3 * np.prod(how["spacing"]) / 1000, rel=1e-4)
    assert mask.ml == pytest.approx(mask.original_ml, rel=0.15)
    assert mask.spacing == (2.0, 2.0, 2.0)


def test_axes_are_brought_to_ras(tmp_path):
    voxels = np.zeros((20, 24, 28), np.float32)
    voxels[6:14, 8:11, 10:12] = 1  # longest along the first axis, which points to the front
    path = save_nifti(tmp_path / "a.nii.gz", Volume(voxels, placed(order=(1, 0, 2))))
    found = read_mask(path, "a", 2.0, 4).voxels
    assert [int(found.any(axes).sum()) for axes in ((1, 2), (0, 2), (0, 1))] == [3, 8, 2]


@pytest.mark.parametrize(
    ("voxels", "message"),
    [
        (np.zeros((8, 8, 8)), "every voxel is 0"),
        (np.arange(512).reshape(8, 8, 8) % 3, r"holds 3 values \(0, 1, 2\): a mask has 0 and one"),
        (1.0 + (np.arange(512) % 2).reshape(8, 8, 8), "holds 2 values"),
        (np.arange(1024).reshape(8, 8, 8, 2) % 2, "is 4D"),
    ],
    ids=["empty", "labels", "no background", "4D"],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path, voxels, message):
    path = save_nifti(tmp_path / "bad.nii.gz", Volume(voxels.astype(np.float32), placed()))
    with pytest.raises(VolumeError, match=f"bad.nii.gz: .*{message}"):
        read_mask(path, "bad", 2.0, 4)


def test_a_lesion_between_the_voxels_of_the_grid_is_told(tmp_path):
    volume = lesion((16, 16, 16), start=7, side=1, spacing=(0.5, 0.5, 0.5))
    with pytest.raises(VolumeError, match="1 lesion voxels lie between .* spacing=0.5 keeps them"):
        read_mask(save_nifti(tmp_path / "a.nii.gz", volume), "a", 2.0, 4)


def test_surroundings_end_with_the_grid():
    mask = np.zeros((10, 30, 30), bool)
    mask[1, 15, 15] = True
    assert surroundings(mask, 3, 4).shape == (8, 8, 8)
    assert surroundings(mask, 100, 4).shape == (12, 32, 32)
    assert surroundings(mask, 3, 4).sum() == 1


def test_masks_are_chosen_by_their_names(tmp_path):
    for name in ("a_mask", "a_FLAIR", "b_lesion"):
        (tmp_path / f"{name}.nii.gz").touch()
    assert [p.name for p in mask_files(tmp_path)] == ["a_mask.nii.gz", "b_lesion.nii.gz"]
    assert [p.name for p in mask_files(f"{tmp_path}/a_*")] == ["a_FLAIR.nii.gz", "a_mask.nii.gz"]
    both = mask_files([tmp_path / "a_mask.nii.gz", tmp_path])
    assert [p.name for p in both] == ["a_mask.nii.gz", "b_lesion.nii.gz"]


def test_a_folder_without_such_names_is_taken_whole(tmp_path):
    (tmp_path / "one.nii.gz").touch()
    assert [p.name for p in mask_files(str(tmp_path))] == ["one.nii.gz"]


def test_of_a_prepared_folder_the_lesions_are_taken(tmp_path):
    for name in ("run.json", "config.yaml", "a.nii.gz", "a_lesion.nii.gz"):
        (tmp_path / name).touch()
    assert [p.name for p in mask_files(str(tmp_path))] == ["a_lesion.nii.gz"]
    (tmp_path / "a_lesion.nii.gz").unlink()
    with pytest.raises(FileNotFoundError, match="as `prepare` writes lesion masks"):
        mask_files(str(tmp_path))


@pytest.mark.parametrize("source", ["", [], "nowhere/*.nii.gz"])
def test_no_masks_are_refused(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="masks="):
        mask_files(source)
