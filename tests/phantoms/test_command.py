import json
from dataclasses import replace

import numpy as np
import pytest

from conftest import REAL, egg, needs_real_data, placed, tiny_cohort
from neuromf.data.cohort import finish_cohort, read_cohort, save_entry
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.scans import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume
from neuromf.phantoms import command as phantom
from neuromf.phantoms.command import (
    Appearance,
    PhantomConfig,
    bias_field,
    draw,
    find_sources,
    run,
    touched_faces,
)
from neuromf.phantoms.deform import Deformation

SMALL = PhantomConfig(n=3, spacing=4.0, shape=(40, 48, 40), workers=1)


def test_phantoms_are_brains(tmp_path):
    assert run(SMALL, tmp_path / "out") == 0
    entries = read_cohort(tmp_path / "out")
    assert [e.subject for e in entries] == [f"phantom{i:05d}" for i in range(3)]
    volumes = [e.read() for e in entries]
    for volume in volumes:
        assert volume.voxels.max() == 1
        brain = volume.voxels > 0
        assert 1000 < brain.sum() * volume.voxel_ml < 2000
        assert not touched_faces(volume.voxels)
    assert np.abs(volumes[0].voxels - volumes[1].voxels).mean() > 0.01


def test_a_phantom_depends_on_its_seed_and_number_alone():
    (source,) = find_sources("mni152")
    alone = draw(source, 5, SMALL).volume
    np.testing.assert_array_equal(
        alone.voxels, draw(source, 5, replace(SMALL, n=100)).volume.voxels
    )
    assert (
        np.abs(alone.voxels - draw(source, 5, replace(SMALL, seed=1)).volume.voxels).mean() > 0.01
    )


def test_without_any_change_a_copy_is_its_source(tmp_path):
    folder = tiny_cohort(tmp_path / "c")
    still = replace(
        SMALL,
        deformation=Deformation(warp_mm=0, scale=0, rotation=0),
        appearance=Appearance(0, 0, noise=0),
    )
    for source, entry in zip(
        find_sources(str(folder)),
        (e for e in read_cohort(folder) if e.split == "train"),
        strict=True,
    ):
        assert source.parent == entry.subject
        copy = draw(source, 0, still).volume
        voxels = entry.read().voxels
        inner = voxels > 0
        ratio = copy.voxels[inner] / voxels[inner]
        assert np.median(np.abs(ratio / np.median(ratio) - 1)) < 1e-3
        np.testing.assert_array_equal(copy.affine, entry.read().affine)


def test_only_training_subjects_are_copied(tmp_path):
    folder = tiny_cohort(tmp_path / "c")
    run(replace(SMALL, source=str(folder), n=9), tmp_path / "out")
    split = json.loads((folder / "split.json").read_text())
    copies = read_cohort(tmp_path / "out")
    assert {e.record["parent"] for e in copies} <= set(split["train"])
    assert {e.split for e in copies} == {"train"}
    assert len({e.subject for e in copies}) == 9


def test_resume_makes_what_is_missing(tmp_path):
    run(SMALL, tmp_path / "out")
    before = {e.name: e.record["sha256"] for e in read_cohort(tmp_path / "out")}
    (tmp_path / "out" / "phantom00001.json").unlink()
    run(SMALL, tmp_path / "out", resume=True)
    assert {e.name: e.record["sha256"] for e in read_cohort(tmp_path / "out")} == before


def test_bias_fields_are_smooth_and_around_one(tmp_path):
    volume = draw(find_sources("mni152")[0], 0, SMALL).volume
    field = bias_field(volume, Appearance(bias=0.2), np.random.default_rng(0))
    assert np.log(field).std() == pytest.approx(0.2, rel=0.25)
    assert np.log(field).mean() == pytest.approx(0, abs=0.05)
    assert np.abs(np.diff(np.log(field), axis=0)).max() < 0.1


@needs_real_data
def test_label_maps_become_brains(tmp_path):
    config = replace(SMALL, source=str(REAL / "labels" / "synthseg_training_seg_0[12].nii.gz"), n=2)
    assert run(config, tmp_path / "out") == 0
    for entry in read_cohort(tmp_path / "out"):
        volume = entry.read()
        assert 700 < (volume.voxels > 0).sum() * volume.voxel_ml < 2200
        assert not touched_faces(volume.voxels)


def test_bad_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        find_sources(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="n is 0"):
        PhantomConfig(n=0)


def egg_cohort(folder, margin=1):
    """One person whose brain fills the box but for `margin` voxels above, and three below."""
    folder.mkdir()
    volume, _ = preprocess(egg(placed(spacing=(4.0, 4.0, 4.0))), Preprocessing(4.0, (40, 48, 40)))
    top = np.flatnonzero(volume.voxels.any(axis=(0, 1)))[-1]
    shifted = np.roll(volume.voxels, volume.voxels.shape[2] - 1 - margin - top, axis=2)
    record = save_entry(
        folder, Scan("x", "p"), Volume(shifted, volume.affine), {"split": "train", "notes": []}
    )
    finish_cohort(folder, [record], SplitConfig())
    return folder


def test_copies_that_the_box_would_cut_are_drawn_again(tmp_path, capsys, monkeypatch):
    folder = egg_cohort(tmp_path / "c")
    config = replace(SMALL, source=str(folder), n=12)
    run(config, tmp_path / "out")
    copies = read_cohort(tmp_path / "out")
    again = [c.sidecar()["redrawn"] for c in copies]
    assert sum(n > 0 for n in again) >= 2
    assert (
        f"{sum(n > 0 for n in again)} drawn again, because the box would have cut"
        in capsys.readouterr().out
    )
    for copy in copies:
        assert not touched_faces(copy.read().voxels)
        assert copy.sidecar()["cut"] is False

    monkeypatch.setattr(phantom, "TRIES", 1)  # as they were drawn once
    run(config, tmp_path / "once")
    for copy, first, n in zip(copies, read_cohort(tmp_path / "once"), again, strict=True):
        assert (copy.record["sha256"] == first.record["sha256"]) == (n == 0)
    assert "cut by the box all the same" in capsys.readouterr().out


def test_who_was_cut_in_preparation_is_not_blamed(tmp_path):
    folder = egg_cohort(tmp_path / "c", margin=-4)
    (source,) = find_sources(str(folder))
    faces = touched_faces(read_cohort(folder)[0].read().voxels)
    assert faces
    for index in range(4):
        drawn = draw(source, index, SMALL)
        assert not drawn.cut
        assert set(touched_faces(drawn.volume.voxels)) <= set(faces)


def test_a_box_that_is_too_small_is_said(tmp_path, capsys):
    run(replace(SMALL, n=1, shape=(24, 48, 40)), tmp_path / "out")
    assert "1 cut by the box all the same" in capsys.readouterr().out
    (entry,) = read_cohort(tmp_path / "out")
    assert entry.sidecar()["cut"]


@pytest.mark.parametrize("key", ["contrast", "bias", "bias_smooth_mm", "noise"])
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_appearance_is_checked(key, value):
    with pytest.raises(ValueError, match="nothing negative"):
        Appearance(**{key: value})


@pytest.mark.parametrize(
    "bad",
    [
        {"spacing": 1e-9},
        {"spacing": np.nan},
        {"shape": (80, 80)},
        {"shape": (4000, 4000, 4000)},
        {"seed": -1},
        {"workers": -1},
    ],
)
def test_settings_are_checked(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        PhantomConfig(**bad)
