import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from neuromf.data.cohort import read_cohort
from neuromf.data.prepare import PrepareConfig, run
from neuromf.data.preprocess import Preprocessing
from neuromf.data.reading import read_volume
from neuromf.data.skullstrip import StripConfig
from neuromf.data.volume import Volume, VolumeError
from neuromf.runtime.config import load
from support import AFFINES, REAL, egg, needs_real_data, save_nifti

SMALL = Preprocessing(spacing=4.0, shape=(40, 48, 40))


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Seven brains on seven kinds of grid, and four files that are none."""
    folder = tmp_path_factory.mktemp("scans für uns")
    for number, (name, affine) in enumerate(AFFINES.items()):
        save_nifti(folder / f"sub-{number}_ses-{name.replace(' ', '')}_T1w.nii.gz", egg(affine))
    (folder / "text.nii.gz").write_text("no scan")
    whole = (folder / "sub-0_ses-straight_T1w.nii.gz").read_bytes()
    (folder / "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.nii").write_bytes(b"")
    (folder / "loop.nii").symlink_to(folder / "loop.nii")
    return folder


def config(scans, **changes):
    return replace(PrepareConfig(input=str(scans), preprocessing=SMALL, workers=1), **changes)


@pytest.fixture(scope="module")
def made(scans, tmp_path_factory):
    """What `prepare` makes of them."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert run(config(scans), out) == 4
    return out


@pytest.fixture
def prepared(made, tmp_path):
    """A copy of it to be spoiled."""
    return shutil.copytree(made, tmp_path / "out")


def rejected(out):
    with (out / "rejected.csv").open(encoding="utf-8") as stream:
        return {os.path.basename(row["path"]): row["reason"] for row in csv.DictReader(stream)}


def test_good_scans_are_prepared_and_bad_ones_listed(scans, tmp_path, capsys):
    assert run(config(scans), tmp_path / "out") == 4
    entries = read_cohort(tmp_path / "out")
    assert len(entries) == 7
    reasons = rejected(tmp_path / "out")
    assert set(reasons) == {"text.nii.gz", "cut.nii.gz", "empty.nii", "loop.nii"}
    assert "in a circle" in reasons["loop.nii"]
    first = entries[0].read().voxels
    for entry in entries:
        assert entry.read().voxels.shape == (40, 48, 40)
        assert (
            np.corrcoef(entry.read().voxels.ravel(), first.ravel())[0, 1] > 0.95
        )  # one brain on seven grids
    record = json.loads((tmp_path / "out" / f"{entries[3].name}.json").read_text())
    assert {
        "source_affine",
        "source_shape",
        "strip",
        "intensity",
        "brain_cut_percent",
        "sha256",
        "source_sha256",
    } <= set(record)
    assert "7 volumes of 7 subjects" in capsys.readouterr().out


def test_processes_give_the_same_files(scans, made, prepared):
    for entry in read_cohort(prepared):
        entry.path.unlink()
    # another number of workers is no other configuration
    assert run(config(scans, workers=2), prepared, resume=True) == 4
    one, two = ({e.name: e.record["sha256"] for e in read_cohort(out)} for out in (made, prepared))
    assert len(one) == 7
    assert one == two


def test_resume_keeps_what_is_there(scans, prepared):
    entries = read_cohort(prepared)
    before = {e.name: e.path.stat().st_mtime_ns for e in entries}
    entries[0].path.unlink()
    assert run(config(scans), prepared, resume=True) == 4
    after = {e.name: e.path.stat().st_mtime_ns for e in read_cohort(prepared)}
    assert [n for n in before if before[n] != after[n]] == [entries[0].name]


def test_resume_takes_up_what_the_table_says_now(scans, tmp_path):
    table, out = tmp_path / "m.csv", tmp_path / "out"
    scan = next(scans.glob("sub-0*"))
    mask = tmp_path / "mask.nii"
    save_nifti(
        mask, Volume((read_volume(scan).voxels > 300).astype(np.float32), read_volume(scan).affine)
    )
    table.write_text(f"path,subject,group\n{scan},p1,control\n")
    run(config(table), out)
    first = read_cohort(out)[0].record
    table.write_text(f"path,subject,group\n{scan},p1,patient\n")
    run(config(table), out, resume=True)
    second = read_cohort(out)[0].record
    assert (first["group"], second["group"]) == ("control", "patient")
    assert first["sha256"] == second["sha256"]
    table.write_text(f"path,subject,group,mask\n{scan},p1,patient,{mask}\n")
    run(config(table), out, resume=True)
    assert read_cohort(out)[0].record["sha256"] != first["sha256"]


def test_a_missing_program_is_said_at_once(scans, tmp_path):
    steps = replace(SMALL, strip=StripConfig(method="synthstrip", program="/no/such/tool"))
    with pytest.raises(VolumeError, match="/no/such/tool is not to be found"):
        run(config(scans, preprocessing=steps), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_kill_and_rerun(scans, made, tmp_path):
    """kill -9 in the middle: what is there is whole, and a rerun makes the rest."""
    out = tmp_path / "out"
    words = [
        f"input={scans}",
        "preprocessing.spacing=4",
        "preprocessing.shape=[40,48,40]",
        "workers=1",
        f"out={out}",
    ]
    command = [sys.executable, "-m", "neuromf.cli", "prepare", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("*.json")) or len(list(out.glob("sub-*.json"))) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None or list(out.glob("sub-*.json"))
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    resumed = load(PrepareConfig, words[:-1], "prepare")
    assert run(resumed, out, resume=True) == 4  # were rejected
    one, two = ({e.name: e.record["sha256"] for e in read_cohort(f)} for f in (out, made))
    assert one == two
    assert not list(out.glob(".*.nii.gz"))


def test_one_subject_twice(scans, tmp_path):
    twin = tmp_path / "twin"
    twin.mkdir()
    for name in ("a", "b"):
        (twin / name).mkdir()
        save_nifti(twin / name / "sub-1_T1w.nii", egg(AFFINES["straight"]))
    assert (
        run(config(twin), tmp_path / "out") == 0
    )  # listed, but no failure: a BIDS tree may have two runs
    assert "same subject and session as" in rejected(tmp_path / "out")["sub-1_T1w.nii"]


def test_where_the_first_scan_is_broken_the_second_is_taken(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "sub-1_T1w.nii").write_text("broken")
    save_nifti(folder / "sub-1_T1w.nii.gz", egg(AFFINES["straight"]))
    assert run(config(folder), tmp_path / "out") == 1
    assert list(rejected(tmp_path / "out")) == ["sub-1_T1w.nii"]
    assert [e.subject for e in read_cohort(tmp_path / "out")] == ["sub-1"]


def test_nothing_but_bad_scans(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.nii").write_text("no")
    with pytest.raises(
        VolumeError, match="none of 1 scans could be prepared; the first: .*no NIfTI header"
    ):
        run(config(tmp_path / "in"), tmp_path / "out")
    assert rejected(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["state"] == "failed"


def test_a_manifest_with_a_missing_file(scans, tmp_path):
    table = tmp_path / "m.csv"
    good = next(scans.glob("sub-1*"))
    table.write_text(f"path,subject,group\n{good},p1,patient\nno/such.nii,p2,control\n")
    assert run(config(table, dataset="mine"), tmp_path / "out") == 1
    assert "no such file" in rejected(tmp_path / "out")["such.nii"]
    (entry,) = read_cohort(tmp_path / "out")
    assert (entry.subject, entry.record["group"], entry.record["dataset"]) == (
        "p1",
        "patient",
        "mine",
    )


def test_scan_and_mask_without_orientation(tmp_path):
    """Analyze 7.5 knows none; what is assumed of a scan holds for its mask."""
    brain = egg(AFFINES["straight"]).voxels
    kept = brain > 250
    for name, voxels in (("scan", brain), ("mask", kept.astype(np.float32))):
        image = nib.AnalyzeImage(voxels, None)
        image.header.set_zooms((2, 2, 2))
        nib.save(image, tmp_path / f"{name}.hdr")
    table, out = tmp_path / "m.csv", tmp_path / "out"
    table.write_text("path,mask\nscan.hdr,mask.hdr\n")
    assert run(config(table, assume_orientation="LAS"), out) == 0
    (entry,) = read_cohort(out)
    assert entry.sidecar()["strip"]["method"] == "mask"
    assert entry.sidecar()["brain_ml"] == pytest.approx(kept.sum() * 8 / 1000, abs=0.1)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="assume_orientation is 'RRS'"):
        PrepareConfig(assume_orientation="RRS")
    with pytest.raises(ValueError, match="input= is empty"):
        PrepareConfig().sources()
    assert load(PrepareConfig, ["input=[a,b]"], "prepare").sources() == ["a", "b"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(scans, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        run(config(scans), tmp_path / "out")


@needs_real_data
def test_real_scans_stay_in_place(tmp_path):
    """An oblique brain and a whole head: the prepared volume correlates with its source best where its affine says."""
    from scipy import ndimage

    from neuromf.data.preprocess import put_back

    table = tmp_path / "m.csv"
    files = [REAL / "t1" / f"{n}_T1w.nii.gz" for n in ("ds002748_sub-33", "openms-long_p01")]
    table.write_text("path\n" + "\n".join(map(str, files)))
    out = tmp_path / "out"
    assert (
        run(
            PrepareConfig(
                input=str(table),
                preprocessing=Preprocessing(spacing=2.0, shape=(80, 96, 80)),
                workers=1,
            ),
            out,
        )
        == 0
    )
    for entry in read_cohort(out):
        record = json.loads((out / f"{entry.name}.json").read_text())
        assert record["brain_cut_percent"] == 0
        source, prepared = read_volume(next(f for f in files if entry.name in f.name)), entry.read()
        smooth = ndimage.gaussian_filter(source.voxels, 1 / np.array(source.spacing))
        coarse = smooth[::2, ::2, ::2]  # the voxels that are compared
        fits = {}
        for axis in range(3):
            for shift in (-1.0, 0.0, 1.0):
                moved = prepared.affine.copy()
                moved[:3, 3] += shift * prepared.affine[:3, axis] / 2
                places = source.affine @ np.diag([2, 2, 2, 1])
                back = put_back(Volume(prepared.voxels, moved), coarse.shape, places).voxels
                inside = back > 0.2
                fits[axis, shift] = np.corrcoef(back[inside], coarse[inside])[0, 1]
            assert fits[axis, 0.0] > max(fits[axis, -1.0], fits[axis, 1.0])


def test_a_damaged_volume_is_made_again(scans, prepared):
    entry = read_cohort(prepared)[0]
    good = entry.path.read_bytes()
    entry.path.write_bytes(b"junk")
    run(config(scans), prepared, resume=True)
    assert entry.path.read_bytes() == good


def test_what_is_said_at_the_end(scans, tmp_path, capsys):
    table = tmp_path / "m.csv"
    scan = next(scans.glob("sub-0*"))
    table.write_text(f"path,subject,mask\n{scan},p1,\n{scan},p2,\n{scan},p3,/no/mask.nii\n")
    assert run(config(table), tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert "brains: 2 stripped already" in said
    assert "one file under several names: p1_ses-straight, p2_ses-straight: one person?" in said
    assert "too few subjects for a share of val and test" in said
    assert "/no/mask.nii: no such mask file" in said


def test_its_own_output_is_no_input(tmp_path, caplog):
    study = tmp_path / "study"
    study.mkdir()
    save_nifti(study / "a.nii.gz", egg(AFFINES["straight"]))
    save_nifti(study / "b.nii.gz", egg(AFFINES["oblique"]))
    made = config(f"{study}/**/*.nii.gz")
    run(made, study / "out")
    before = {e.name: e.record["path"] for e in read_cohort(study / "out")}
    run(made, study / "out", resume=True)
    assert {e.name: e.record["path"] for e in read_cohort(study / "out")} == before
    assert "2 volumes that neuromf wrote there are left out" in caplog.text
    table = tmp_path / "m.csv"
    table.write_text(f"path\n{study}/out/a.nii.gz\n{study}/b.nii.gz\n")
    assert run(config(table), tmp_path / "named") == 1
    assert (
        f"is prepared already: give the scan that it was made from, {study}/a.nii.gz"
        in (rejected(tmp_path / "named")["a.nii.gz"])
    )


def test_one_dicom_file_is_refused_with_the_way(tmp_path):
    (tmp_path / "a.dcm").write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(
        VolumeError, match=r"a.dcm: is DICOM: make NIfTI of it: neuromf import-dicom"
    ):
        run(config(tmp_path / "a.dcm"), tmp_path / "out")
