import json
from dataclasses import replace

import numpy as np
import pytest

from neuromf.data.cohort import read_cohort
from neuromf.phantoms import draw as drawing
from neuromf.phantoms.command import find_sources, run
from neuromf.phantoms.config import Appearance, PhantomConfig
from neuromf.phantoms.deform import Deformation
from neuromf.phantoms.draw import draw, touched_faces
from phantoms.support import SMALL, egg_cohort
from support import REAL, needs_real_data, tiny_cohort


def test_phantoms_are_brains(tmp_path):
    assert run(replace(SMALL, n=2), tmp_path / "out") == 0
    entries = read_cohort(tmp_path / "out")
    assert [e.subject for e in entries] == ["phantom00000", "phantom00001"]
    volumes = [e.read() for e in entries]
    for volume in volumes:
        assert volume.voxels.max() == 1
        brain = volume.voxels > 0
        assert 1000 < brain.sum() * volume.voxel_ml < 2000
        assert not touched_faces(volume.voxels)
    assert np.abs(volumes[0].voxels - volumes[1].voxels).mean() > 0.01


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


def test_resume_makes_what_is_missing(tmp_path, coarse_mni152):
    run(SMALL, tmp_path / "out")
    before = {e.name: e.record["sha256"] for e in read_cohort(tmp_path / "out")}
    (tmp_path / "out" / "phantom00001.json").unlink()
    run(SMALL, tmp_path / "out", resume=True)
    assert {e.name: e.record["sha256"] for e in read_cohort(tmp_path / "out")} == before


@needs_real_data
def test_label_maps_become_brains(tmp_path):
    config = replace(SMALL, source=str(REAL / "labels" / "synthseg_training_seg_01.nii.gz"), n=1)
    assert run(config, tmp_path / "out") == 0
    (entry,) = read_cohort(tmp_path / "out")
    volume = entry.read()
    assert 700 < (volume.voxels > 0).sum() * volume.voxel_ml < 2200
    assert not touched_faces(volume.voxels)


def test_bad_sources(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        find_sources(str(tmp_path / "none"))
    with pytest.raises(ValueError, match="n is 0"):
        PhantomConfig(n=0)


def test_who_was_cut_in_preparation_is_not_blamed(tmp_path):
    folder = egg_cohort(tmp_path / "c", margin=-4)
    (source,) = find_sources(str(folder))
    faces = touched_faces(read_cohort(folder)[0].read().voxels)
    assert faces
    for index in range(4):
        drawn = draw(source, index, SMALL)
        assert not drawn.cut
        assert set(touched_faces(drawn.volume.voxels)) <= set(faces)


def test_a_box_that_is_too_small_is_said(tmp_path, capsys, monkeypatch, coarse_mni152):
    monkeypatch.setattr(drawing, "TRIES", 3)
    run(replace(SMALL, n=1, shape=(24, 48, 40)), tmp_path / "out")
    assert "1 cut by the box all the same" in capsys.readouterr().out
    (entry,) = read_cohort(tmp_path / "out")
    assert entry.sidecar()["cut"]
    assert entry.sidecar()["redrawn"] == 2
