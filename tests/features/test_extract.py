"""Extraction: once a file, in order, whatever the processes; odd files refused in words and left out."""

import os

import numpy as np
import pytest
import torch

from features.support import blob, write_set
from neuromf.data.reading import read_volume
from neuromf.data.volume import Volume
from neuromf.features import extract
from neuromf.features.cache import Cache
from neuromf.features.extract import (
    Features,
    Frame,
    FrameError,
    Job,
    framed_affine,
    measure_all,
    measure_file,
    measure_sets,
)
from neuromf.features.plain import SPECTRUM, VOXELS
from support import save_nifti


def job(tmp_path, **changes):
    return Job(
        **({"measures": ("voxels", "spectrum"), "cache": Cache(tmp_path / "cache")} | changes)
    )


def paths_of(folder):
    return sorted(folder.glob("*.nii.gz"))


def test_each_file_is_read_once(tmp_path, volumes, monkeypatch):
    """The second time nothing is computed; a changed file is."""
    read = []
    monkeypatch.setattr(extract, "read_volume", lambda path: read.append(path) or read_volume(path))
    first, failed = measure_all(paths_of(volumes), job(tmp_path))
    assert (len(first), failed, len(read)) == (6, [], 6)
    again, _ = measure_all(paths_of(volumes), job(tmp_path))
    assert again == first
    assert len(read) == 6
    copy = write_set(tmp_path / "copy", range(6))
    save_nifti(copy / "v000_T1w.nii.gz", blob(77))
    measure_all(paths_of(copy), job(tmp_path))
    assert len(read) == 7  # the other five are the same bytes


def test_processes_give_the_same_in_the_same_order(tmp_path, volumes):
    alone, _ = measure_all(paths_of(volumes), job(tmp_path))
    other = job(tmp_path, cache=Cache(tmp_path / "other"))
    together, _ = measure_all(paths_of(volumes), other, workers=2)
    assert together == alone
    a, b = Features(tuple(alone), job(tmp_path)), Features(tuple(together), other)
    assert torch.equal(a.stacked(VOXELS, "voxels"), b.stacked(VOXELS, "voxels"))
    assert torch.equal(a.only([3]).stacked(SPECTRUM, "power")[0], a.stacked(SPECTRUM, "power")[3])


def test_several_sets_are_measured_together(tmp_path, volumes):
    """Each set by its own measures and in its own order, also where a file is in two of them."""
    paths = paths_of(volumes)
    (tmp_path / "bad_T1w.nii.gz").write_bytes(b"no gzip")
    one, other = job(tmp_path, measures=("voxels",)), job(tmp_path, measures=("spectrum",))
    first, second = measure_sets([(paths, one), ([tmp_path / "bad_T1w.nii.gz", *paths[:2]], other)])
    assert [m.path for m in first[0]] == paths
    assert [m.path for m in second[0]] == paths[:2]
    assert (first[1], [p.name for p, _ in second[1]]) == ([], ["bad_T1w.nii.gz"])
    assert Features(tuple(second[0]), other).stacked(SPECTRUM, "high").shape == (2, 1)


def test_bad_files_are_listed_and_left_out(tmp_path):
    folder = write_set(tmp_path / "set", range(3))
    (folder / "a_T1w.nii.gz").write_bytes(b"no gzip")
    whole = (folder / "v000_T1w.nii.gz").read_bytes()
    (folder / "b_T1w.nii.gz").write_bytes(whole[: len(whole) // 2])
    save_nifti(folder / "c_T1w.nii.gz", Volume(3000 * blob(1).voxels, blob(1).affine))
    found, failed = measure_all(paths_of(folder), job(tmp_path))
    assert [m.path.name for m in found] == ["v000_T1w.nii.gz", "v001_T1w.nii.gz", "v002_T1w.nii.gz"]
    reasons = {path.name[0]: why for path, why in failed}
    assert "gzip" in reasons["a"]
    assert "bytes" in reasons["b"] or "readable" in reasons["b"]
    assert "values from 0 to" in reasons["c"]
    assert "`neuromf prepare`" in reasons["c"]


def test_unlike_sizes_are_refused_and_resampled_if_asked(tmp_path):
    folder = write_set(tmp_path / "set", [0])
    frame = Frame((16, 20, 16), (10.0, 9.0, 10.0))
    with pytest.raises(
        FrameError, match="32 x 36 x 32 voxels of 6 x 6 x 6 mm.*16 x 20 x 16.*resample=true"
    ):
        measure_all(paths_of(folder), job(tmp_path, frame=frame))
    measure_all(paths_of(folder), job(tmp_path))
    with pytest.raises(FrameError, match="resample=true"):  # also where nothing is left to measure
        measure_all(paths_of(folder), job(tmp_path, frame=frame))
    (found,), _ = measure_all(paths_of(folder), job(tmp_path, frame=frame, resample=True))
    (plain,), _ = measure_all(paths_of(folder), job(tmp_path))
    assert found == plain  # the file's own hash, but its measurements are kept apart
    a = Features((found,), job(tmp_path, frame=frame, resample=True)).stacked(VOXELS, "voxels")
    b = Features((plain,), job(tmp_path)).stacked(VOXELS, "voxels")
    assert a.shape != b.shape


def test_resampling_keeps_the_middle():
    volume = blob(0)
    affine = framed_affine(volume, Frame((20, 20, 20), (2.0, 3.0, 4.0)))
    assert np.linalg.norm(affine[:3, :3], axis=0) == pytest.approx((2, 3, 4))
    ours = affine @ np.array([9.5, 9.5, 9.5, 1])
    theirs = volume.affine @ np.append((np.array(volume.voxels.shape) - 1) / 2, 1)
    assert ours == pytest.approx(theirs)


def test_orientation_does_not_matter(tmp_path):
    """A file in another axis order has the same measurements."""
    volume = blob(3)
    flipped = Volume(volume.voxels[::-1].transpose(1, 0, 2).copy(), volume.affine)
    affine = volume.affine @ np.array([[0, -1, 0, 31], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    save_nifti(tmp_path / "a_T1w.nii.gz", volume)
    save_nifti(tmp_path / "b_T1w.nii.gz", Volume(flipped.voxels, affine))
    found, _ = measure_all([tmp_path / "a_T1w.nii.gz", tmp_path / "b_T1w.nii.gz"], job(tmp_path))
    values = Features(tuple(found), job(tmp_path)).stacked(VOXELS, "voxels")
    torch.testing.assert_close(values[0], values[1])


def test_a_measure_that_is_not_finite_is_an_error(tmp_path, monkeypatch):
    save_nifti(tmp_path / "a_T1w.nii.gz", blob(0))
    broken = extract.load_measure("voxels")
    broken = type(broken)("voxels", "f" * 64, "", lambda v: {"voxels": torch.full((2,), torch.nan)})
    monkeypatch.setattr(extract, "load_measure", lambda name, device: broken)
    with pytest.raises(ValueError, match="voxels gives NaN or Inf"):
        measure_file(job(tmp_path, measures=("voxels",)), tmp_path / "a_T1w.nii.gz")


def test_frames():
    assert Frame((2, 2, 2), (1.0, 1.0, 1.0)).fits(Frame((2, 2, 2), (1.0, 1.0, 1.0000001)))
    assert not Frame((2, 2, 2), (1.0, 1.0, 1.0)).fits(Frame((2, 2, 2), (1.0, 1.0, 1.1)))
    assert Frame.of(blob(0)) == Frame((32, 36, 32), pytest.approx((6.0, 6.0, 6.0)))


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path):
    """A pipe nobody writes to would be waited for, for ever."""
    os.mkfifo(tmp_path / "pipe_T1w.nii.gz")
    (tmp_path / "folder_T1w.nii.gz").mkdir()
    (tmp_path / "device_T1w.nii.gz").symlink_to("/dev/zero")
    found, failed = measure_all(paths_of(tmp_path), job(tmp_path))
    assert found == []
    assert [why.split(":")[0] for _, why in failed] == [
        f"is no regular file but {kind}" for kind in ("a device or socket", "a folder", "a pipe")
    ]


def test_nan_is_never_repaired_in_silence(tmp_path):
    volume = blob(0)
    volume.voxels[16, 18, 16] = np.nan
    save_nifti(tmp_path / "nan_T1w.nii.gz", volume)
    found, ((_, why),) = measure_all(paths_of(tmp_path), job(tmp_path))
    assert found == []
    assert "1 voxels were NaN or infinite" in why
