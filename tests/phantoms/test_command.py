import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from neuromf.data.cohort import read_cohort
from neuromf.data.lesion_file import lesion_path
from neuromf.data.volume import VolumeError
from neuromf.phantoms import draw as drawing
from neuromf.phantoms.command import find_sources, run
from neuromf.phantoms.config import Appearance, PhantomConfig
from neuromf.phantoms.deform import Deformation
from neuromf.phantoms.draw import draw, touched_faces
from neuromf.runtime.checksums import file_sha256
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


@pytest.mark.parametrize("people", ["train", "val"])
def test_people_of_one_split_are_copied_and_copies_stay_in_it(tmp_path, people):
    folder = tiny_cohort(tmp_path / "c")
    run(replace(SMALL, source=str(folder), people=people, n=9), tmp_path / "out")
    split = json.loads((folder / "split.json").read_text())
    copies = read_cohort(tmp_path / "out")
    assert {e.record["parent"] for e in copies} <= set(split[people])
    assert {e.split for e in copies} == {people}
    assert len({e.subject for e in copies}) == 9


def test_a_split_of_what_is_no_cohort_is_refused():
    with pytest.raises(ValueError, match="people=val chooses among .* source=mni152 is none"):
        find_sources("mni152", "val")


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


def test_a_folder_of_label_maps_that_are_named_so(tmp_path):
    for name in ("sub-01_dseg.nii.gz", "sub-02_dseg.nii.gz"):
        (tmp_path / name).write_bytes(b"")
    assert [source.parent for source in find_sources(str(tmp_path))] == ["sub-01", "sub-02"]


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


@pytest.mark.parametrize("kind", ["fcd", "ms"])
def test_lesions_are_written_beside_the_volume(tmp_path, capsys, coarse_mni152, kind):
    run(replace(SMALL, n=2), tmp_path / "healthy")
    run(replace(SMALL, n=2, lesions=kind), tmp_path / "out")
    assert f"with simulated lesions ({kind})" in capsys.readouterr().out
    healthy = read_cohort(tmp_path / "healthy")
    for entry, other in zip(read_cohort(tmp_path / "out"), healthy, strict=True):
        assert entry.name.endswith(f"-simulated-{kind}")
        record, volume = entry.sidecar(), entry.read()
        path = lesion_path(tmp_path / "out", entry.name)
        image = nib.load(path)
        mask = np.asarray(image.dataobj)

        assert mask.dtype == np.uint8
        np.testing.assert_allclose(image.affine, volume.affine, atol=1e-5)
        assert record["lesion_sha256"] == file_sha256(path)
        assert record["lesion_kind"] == f"simulated {kind}"
        assert record["lesion_ml"] == pytest.approx(mask.sum() * volume.voxel_ml, abs=1e-3)
        assert len(record["lesion_centre_voxel"]) == len(record["lesion_centre_mm"]) == 3
        # the brain is the one that is drawn without lesions
        changed = volume.voxels != other.read().voxels
        assert changed[mask > 0].mean() > 0.9
        assert changed.sum() < 12 * mask.sum()
        assert not mask[volume.voxels == 0].any()


def test_resume_makes_a_missing_mask_again(tmp_path, coarse_mni152):
    config = replace(SMALL, n=2, lesions="ms")
    run(config, tmp_path / "out")
    masks = [lesion_path(tmp_path / "out", e.name) for e in read_cohort(tmp_path / "out")]
    before = [mask.read_bytes() for mask in masks]
    masks[0].unlink()
    masks[1].write_bytes(b"damaged")
    run(config, tmp_path / "out", resume=True)
    assert [mask.read_bytes() for mask in masks] == before


def test_flair_like_phantoms_say_so(tmp_path, capsys, coarse_mni152):
    even = replace(SMALL, n=1, appearance=Appearance(bias=0, noise=0))
    run(even, tmp_path / "t1w")
    run(replace(even, contrast="FLAIR"), tmp_path / "out")
    assert "FLAIR-like, mapped from T1w" in capsys.readouterr().out
    (entry,), (t1w,) = read_cohort(tmp_path / "out"), read_cohort(tmp_path / "t1w")
    assert entry.name == "phantom00000-flairlike"
    assert entry.sidecar()["contrast"] == "FLAIR-like"
    assert entry.sidecar()["notes"] == ["FLAIR-like, mapped from T1w"]
    flair, bright = entry.read().voxels, t1w.read().voxels
    inside = bright > 0
    parts = np.array_split(np.argsort(bright[inside]), 10)
    levels = [np.median(flair[inside][part]) for part in parts]  # darkest in T1w first
    assert levels[0] < 0.5 * levels[-1]
    assert np.argmax(levels) in range(3, 9)  # grey matter
    assert 1.05 * levels[-1] < max(levels) < 1


def test_lesions_need_t1w(tmp_path):
    folder = tiny_cohort(tmp_path / "c")
    for path in folder.glob("s*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"contrast": "FLAIR"}))
    with pytest.raises(VolumeError, match="its contrast is FLAIR: lesions= and contrast=FLAIR"):
        run(replace(SMALL, source=str(folder), n=1, lesions="ms"), tmp_path / "out")
