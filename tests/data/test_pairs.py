"""Pairs of an image and its lesion mask through `prepare`, on seven kinds of grid."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest

from data.support import ball
from neuromf.data.cohort import read_cohort
from neuromf.data.prepare import PrepareConfig, run
from neuromf.data.preprocess import Preprocessing
from neuromf.data.volume import Volume
from support import AFFINES, REAL, egg, needs_real_data, placed, save_nifti

SMALL = Preprocessing(spacing=4.0, shape=(40, 48, 40))


def config(source, **changes):
    return replace(PrepareConfig(input=str(source), preprocessing=SMALL, workers=1), **changes)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    rows = ["FLAIR,lesion,subject"]
    for number, affine in enumerate(AFFINES.values()):
        save_nifti(folder / f"{number}.nii.gz", egg(affine))
        save_nifti(folder / f"{number}_mask.nii.gz", ball(egg(affine)), np.uint8)
        rows.append(f"{number}.nii.gz,{number}_mask.nii.gz,s{number}")
    save_nifti(folder / "bare.nii.gz", egg(AFFINES["straight"]))
    rows.append("bare.nii.gz,,bare")
    (folder / "table.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def made(pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("pairs-out") / "out"
    assert run(config(pairs / "table.csv", contrast="FLAIR"), out) == 0
    return out


def test_the_mask_stays_on_the_lesion(made):
    for entry in read_cohort(made):
        image, mask = entry.read(), entry.read_lesion()
        if entry.subject == "bare":
            assert mask is None
            continue
        np.testing.assert_allclose(mask.affine, image.affine, atol=1e-5)
        true = ball(image).voxels
        dice = 2 * (true * mask.voxels).sum() / (true.sum() + mask.voxels.sum())
        assert dice > 0.85, entry.name
        record = entry.sidecar()
        assert record["lesion_ml"] == pytest.approx(record["lesion_ml_source"], rel=0.1)
        assert record["lesion_outside_brain_percent"] == 0
        assert float(entry.record["lesion_ml"]) == record["lesion_ml"]
        assert record["contrast"] == "FLAIR"


def test_images_are_those_without_masks(pairs, made, tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("path,subject\n" + "\n".join(f"{pairs}/{n}.nii.gz,s{n}" for n in range(7)))
    run(config(table), tmp_path / "out")
    one, two = (
        {e.name: e.record["sha256"] for e in read_cohort(o)} for o in (made, tmp_path / "out")
    )
    assert {name: one[name] for name in two} == two
    assert not list((tmp_path / "out").glob("*_lesion*"))


def test_what_is_said(pairs, made, tmp_path, capsys):
    shutil.copytree(made, tmp_path / "out")
    run(config(pairs / "table.csv", contrast="FLAIR"), tmp_path / "out", resume=True)
    said = capsys.readouterr().out
    assert "lesions: 7 with a mask, 1 without; median 6.91 ml, 6.66 to 7.36" in said


def test_a_mask_that_somebody_drew_beside_the_volume_stays(pairs, tmp_path):
    """The table learns of lesions after the cohort was prepared, and one was drawn by hand."""
    table, out = tmp_path / "m.csv", tmp_path / "out"
    table.write_text(f"path,subject\n{pairs}/0.nii.gz,s0\n{pairs}/1.nii.gz,s1\n")
    assert run(config(table), out) == 0
    drawn = out / "s0_lesion.nii.gz"
    drawn.write_bytes(b"a drawing")
    rows = "".join(f"{pairs}/{n}.nii.gz,s{n},{pairs}/{n}_mask.nii.gz\n" for n in (0, 1))
    table.write_text(f"path,subject,lesion\n{rows}")

    assert run(config(table), out, resume=True) == 1
    assert drawn.read_bytes() == b"a drawing"
    with (out / "rejected.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert "s0_lesion.nii.gz: was not written by neuromf, and would be replaced" in row["reason"]

    drawn.rename(tmp_path / "drawn.nii.gz")
    assert run(config(table), out, resume=True) == 0
    assert [e.read_lesion() is not None for e in read_cohort(out)] == [True, True]
    # half of what a killed run wrote is made again
    (out / "s1.json").unlink()
    drawn.write_bytes(drawn.read_bytes()[:100])
    assert run(config(table), out, resume=True) == 0
    assert all(e.read_lesion() is not None for e in read_cohort(out))


def test_a_changed_mask_is_noticed(pairs, tmp_path):
    scan, mask, table = pairs / "0.nii.gz", tmp_path / "m.nii.gz", tmp_path / "m.csv"
    shutil.copy(pairs / "0_mask.nii.gz", mask)
    table.write_text(f"path,lesion\n{scan},{mask}\n")
    run(config(table), tmp_path / "out")
    (first,) = read_cohort(tmp_path / "out")
    made = first.path.stat().st_mtime_ns
    run(config(table), tmp_path / "out", resume=True)
    assert first.path.stat().st_mtime_ns == made

    save_nifti(mask, ball(egg(AFFINES["straight"]), radius=9), np.uint8)
    run(config(table), tmp_path / "out", resume=True)
    (second,) = read_cohort(tmp_path / "out")
    assert float(second.record["lesion_ml"]) < 0.6 * float(first.record["lesion_ml"])
    assert second.lesion_sha256 != first.lesion_sha256
    table.write_text(f"path,lesion\n{scan},\n")
    run(config(table), tmp_path / "out", resume=True)
    assert read_cohort(tmp_path / "out")[0].read_lesion() is None
    assert not list((tmp_path / "out").glob("*_lesion*"))


def test_bad_masks_refuse_their_scan(pairs, tmp_path):
    image = egg(AFFINES["straight"])
    lesion, moved = ball(image), image.affine.copy()
    moved[0, 3] += 9
    bad = {
        "values": (Volume(image.voxels, image.affine), np.float32, "is no lesion mask"),
        "full": (Volume(0 * lesion.voxels + 1, image.affine), np.uint8, "no voxel is 0"),
        "outside": (
            Volume(1 - (image.voxels > 0), image.affine),
            np.uint8,
            "100 % of the lesion lies outside the brain",
        ),
        "moved": (Volume(lesion.voxels, moved), np.uint8, "9.0 mm apart"),
        "tiny": (ball(image, 1.2, (21.0, 11.0, 6.0)), np.uint8, "is left on the prepared grid"),
    }
    rows = ["path,lesion,subject"]
    for name, (volume, dtype, _) in bad.items():
        save_nifti(tmp_path / f"{name}.nii.gz", volume, dtype)
        rows.append(f"{pairs}/0.nii.gz,{name}.nii.gz,{name}")
    four = np.stack([lesion.voxels] * 2, -1)
    save_nifti(tmp_path / "four.nii.gz", Volume(four, image.affine))
    save_nifti(tmp_path / "empty.nii.gz", Volume(0 * lesion.voxels, image.affine), np.uint8)
    rows += [f"{pairs}/0.nii.gz,{n}.nii.gz,{n}" for n in ("four", "empty", "gone")]
    (tmp_path / "m.csv").write_text("\n".join(rows))

    assert run(config(tmp_path / "m.csv"), tmp_path / "out") == 7
    with (tmp_path / "out" / "rejected.csv").open() as stream:
        reasons = {row["subject"]: row["reason"] for row in csv.DictReader(stream)}
    for name, (_, _, why) in bad.items():
        assert f"{name}.nii.gz" in reasons[name]
        assert why in reasons[name]
    assert "is 4D" in reasons["four"]
    assert "no such lesion mask file" in reasons["gone"]
    (entry,) = read_cohort(tmp_path / "out")
    assert entry.subject == "empty"
    assert not entry.read_lesion().voxels.any()
    assert "the lesion mask is empty" in " ".join(entry.sidecar()["notes"])


def test_a_mask_on_other_voxels_of_the_same_space(pairs, tmp_path):
    save_nifti(tmp_path / "m.nii.gz", ball(egg(placed(spacing=(3.0, 2.5, 1.5), degrees=10.0))))
    table = tmp_path / "m.csv"
    table.write_text(f"path,lesion\n{pairs}/0.nii.gz,m.nii.gz\n")
    assert run(config(table), tmp_path / "out") == 0
    (entry,) = read_cohort(tmp_path / "out")
    true, mask = ball(entry.read()).voxels, entry.read_lesion().voxels
    assert 2 * (true * mask).sum() / (true.sum() + mask.sum()) > 0.85
    assert "is on another grid" in entry.sidecar()["notes"][0]


def test_a_bids_tree_with_lesions(tmp_path, capsys):
    image = egg(AFFINES["straight"])
    for subject in ("sub-01", "sub-02", "sub-03"):
        raw, derived = (tmp_path / top / subject / "anat" for top in ("", "derivatives/rater"))
        for folder in (raw, derived):
            folder.mkdir(parents=True)
        save_nifti(raw / f"{subject}_FLAIR.nii.gz", image)
        save_nifti(
            derived / f"{subject}_desc-brain_mask.nii.gz",
            Volume((image.voxels > 0).astype(np.float32), image.affine),
            np.uint8,
        )
        if subject != "sub-03":
            save_nifti(derived / f"{subject}_label-lesion_mask.nii.gz", ball(image), np.uint8)
    save_nifti(tmp_path / "sub-02" / "anat" / "sub-02_FLAIR_roi.nii.gz", ball(image), np.uint8)

    assert run(config(tmp_path, contrast="FLAIR"), tmp_path / "derivatives" / "out") == 1
    one, three = read_cohort(tmp_path / "derivatives" / "out")
    assert (one.subject, three.subject) == ("sub-01", "sub-03")
    assert one.read_lesion().voxels.any()
    assert three.read_lesion() is None
    with (tmp_path / "derivatives" / "out" / "rejected.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert "sub-02_FLAIR_roi.nii.gz and" in row["reason"]
    assert "sub-02_label-lesion_mask.nii.gz: name one" in row["reason"]
    assert "lesions: 1 with a mask, 1 without" in capsys.readouterr().out
    again = config(tmp_path, contrast="FLAIR")
    assert run(again, tmp_path / "derivatives" / "out", resume=True) == 1


@needs_real_data
def test_real_lesions_keep_their_size(tmp_path):
    """A stripped FLAIR of 1 mm."""
    folder, name = REAL / "flair_lesion", "openms-cs_p07"
    table = tmp_path / "m.csv"
    table.write_text(f"FLAIR,lesion\n{folder}/{name}_FLAIR.nii.gz,{folder}/{name}_mask.nii.gz\n")
    steps = Preprocessing(spacing=2.0, shape=(80, 96, 80))
    run(config(table, contrast="FLAIR", preprocessing=steps), tmp_path / "out")
    (entry,) = read_cohort(tmp_path / "out")
    record, image = entry.sidecar(), entry.read().voxels
    assert record["lesion_ml_source"] == pytest.approx(1.3, abs=0.01)
    assert record["lesion_ml"] == pytest.approx(1.3, abs=0.15)
    lesion = entry.read_lesion().voxels > 0
    assert image[lesion].mean() > 1.1 * image[image > 0].mean()  # bright in FLAIR
