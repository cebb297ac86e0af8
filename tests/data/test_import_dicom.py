"""DICOM folders, written with known content, to BIDS trees that prepare reads."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from data.dicom_support import position, write_enhanced, write_series
from neuromf.data.bids import bids_scans
from neuromf.data.dicom_series import Series
from neuromf.data.import_dicom import ImportDicomConfig, label, run, sessions
from neuromf.data.reading import read_volume

SAGITTAL = {"row": (0, 1, 0), "column": (0, 0, -1)}
CORONAL = {"row": (1, 0, 0), "column": (0, 0, -1)}
OBLIQUE = {"row": (0.96, 0.28, 0), "column": (-0.28, 0.96, 0)}


def imported(tmp_path, **words):
    out = tmp_path / "bids"
    code = run(ImportDicomConfig(str(tmp_path / "dicom"), **words), out)
    return out, code


@pytest.mark.parametrize("write", [write_series, write_enhanced])
@pytest.mark.parametrize("plane", [{}, SAGITTAL, CORONAL, OBLIQUE])
def test_a_voxel_stays_where_it_was_in_the_scanner(tmp_path, plane, write):
    origin = (-50.0, -60.0, -20.0)
    write(tmp_path / "dicom" / "deep", **plane, origin=origin)
    out, code = imported(tmp_path)
    assert code == 0
    (scan,) = bids_scans(out, "T1w")
    volume = read_volume(Path(scan.path))
    brightest = np.argwhere(volume.voxels == volume.voxels.max()).mean(0)
    found = (volume.affine @ [*brightest, 1])[:3]
    assert found == pytest.approx(position(**plane, origin=origin), abs=0.01)


@pytest.mark.parametrize("write", [write_series, write_enhanced])
def test_slope_and_intercept_are_applied(tmp_path, write):
    write(tmp_path / "dicom", slope=(2.0, -30.0))
    out, _ = imported(tmp_path)
    (scan,) = bids_scans(out, "T1w")
    values = set(np.unique(nib.load(scan.path).get_fdata()))
    assert values == {-30.0, 170.0, 1770.0}


def test_the_image_is_told_from_what_lies_beside_it(tmp_path):
    folder = tmp_path / "dicom"
    write_series(folder, SeriesNumber=1, SeriesDescription="localizer", ImageType=["LOCALIZER"])
    write_series(folder, SeriesNumber=2, SeriesDescription="t2_space_dark-fluid")
    write_series(folder, SeriesNumber=3, SeriesDescription="t1_mprage_sag")
    write_series(folder, SeriesNumber=4, SeriesDescription="t1_mprage +C")
    write_series(folder, SeriesNumber=5, SeriesDescription="T1 reformat",
                 ImageType=["DERIVED", "SECONDARY", "MPR"])  # fmt: skip
    write_series(folder, SeriesNumber=6, SeriesDescription="t1 broken", missing=(7,))
    out, code = imported(tmp_path)
    assert code == 0
    with (out / "series.csv").open() as stream:
        rows = {row["number"]: row for row in csv.DictReader(stream)}
    assert {n: r["contrast"] for n, r in rows.items() if n in "2345"} == {
        "2": "FLAIR", "3": "T1w", "4": "ce-T1w", "5": "T1w",
    }  # fmt: skip
    assert [n for n, r in rows.items() if r["taken"] == "yes"] == ["3"]
    assert "slices are missing" in rows["6"]["why_not"]
    assert "not an acquisition" in rows["5"]["why_not"]
    shutil.rmtree(out)
    out, _ = imported(tmp_path, contrast="ce-T1w")
    assert list(out.rglob("*_ce-agent_T1w.nii.gz"))


def test_two_that_fit_are_refused_with_a_list_until_one_is_named(tmp_path):
    folder = tmp_path / "dicom"
    write_series(folder, SeriesNumber=2, SeriesDescription="MPRAGE")
    write_series(folder, SeriesNumber=7, SeriesDescription="MPRAGE repeat")
    said = r"2 series fit T1w: 2 MPRAGE: 40 x 44 x 36, 3 x 3 x 3 mm; 7 MPRAGE repeat.*series='\^"
    with pytest.raises(ValueError, match=said):
        imported(tmp_path)
    assert not list((tmp_path / "bids").rglob("*.nii.gz"))
    shutil.rmtree(tmp_path / "bids")
    out, code = imported(tmp_path, series="^7 ")
    (sidecar,) = out.rglob("*_T1w.json")
    assert json.loads(sidecar.read_text())["SeriesDescription"] == "MPRAGE repeat"
    assert code == 0


def test_an_echo_of_a_series_can_be_named(tmp_path):
    """dcm2niix makes a volume of each; their number and description are one."""
    for echo, ms in ((1, 1.7), (2, 3.5)):
        known = {"SeriesNumber": 4, "SeriesDescription": "MEMPRAGE", "uid": "1.2.3.4"}
        folder = tmp_path / "dicom" / str(echo)
        write_series(folder, **known, EchoTime=ms, EchoNumbers=echo)
    said = r"2 series fit \^4 : 4 MEMPRAGE e1: .*; 4 MEMPRAGE e2: .*'\^4 \.\* e1\$' for example"
    with pytest.raises(ValueError, match=said.replace("fit ", "fit series=")):
        imported(tmp_path, series="^4 ")
    shutil.rmtree(tmp_path / "bids")
    out, code = imported(tmp_path, series="^4 .* e2$")
    assert code == 0
    (sidecar,) = out.rglob("*_T1w.json")
    assert json.loads(sidecar.read_text())["EchoTime"] == pytest.approx(0.0035)


def test_people_and_sessions_without_their_names(tmp_path):
    folder = tmp_path / "dicom"
    write_series(folder, PatientID="HOSP-77", StudyDate="20200101")
    write_series(folder, PatientID="HOSP-77", StudyDate="20210101")
    write_series(folder, PatientID="X9", PatientSex="M", PatientAge="063Y")
    write_series(folder, PatientID="X10", SeriesDescription="T2")
    out, code = imported(tmp_path)
    assert code == 1  # X10 has no T1w
    scans = list(bids_scans(out, "T1w"))
    first, second = f"sub-{label('HOSP-77', 'hash')}", f"sub-{label('X9', 'hash')}"
    assert {(s.subject, s.session) for s in scans} == {(first, "1"), (first, "2"), (second, "")}
    assert {s.age for s in scans if s.subject == second} == {"63"}
    told = [p for p in out.rglob("*") if p.suffix in {".json", ".tsv", ".csv"}]
    texts = [p.read_text() for p in told if p.name != "run.json"]  # which names the input
    assert not any(word in text for text in texts for word in ("HOSP", "Doe", "2020-01-01"))
    assert "sub-HOSP77" in {s.subject for s in bids_scans(named(tmp_path), "T1w")}


def test_people_without_an_id_are_not_taken_for_one(tmp_path):
    for study in ("20200101", "20210101"):
        write_series(tmp_path / "dicom", PatientID="", PatientName="", StudyDate=study)
    out, _ = imported(tmp_path)
    assert len({s.subject for s in bids_scans(out, "T1w")}) == 2


def test_ids_that_become_one_label_are_refused(tmp_path):
    for patient in ("P-1", "P_1"):
        write_series(tmp_path / "dicom", PatientID=patient)
    with pytest.raises(ValueError, match="P-1 and P_1 both become sub-P1: names=hash"):
        imported(tmp_path, names="id")
    assert len(set((tmp_path / "bids").glob("sub-*"))) == 0


def test_sessions_are_studies_in_the_order_of_their_dates():
    def series(study, when, number):
        return Series(Path(f"{study}-{number}"), "p", study, when, number, about={"a": 1})

    late, early = series("s1", "2021", 1), series("s2", "2020", 1)
    undated = series("s1", "", 2)  # of the same study, whose date another series tells
    found = list(sessions([undated, late, early], "hash"))
    assert [[s.study for s in own] for _, own in found] == [["s2"], ["s1", "s1"]]
    assert [name.split("_")[1] for name, _ in found] == ["ses-1", "ses-2"]


def test_a_scan_that_has_another_name_by_now_is_not_left_beside_itself(tmp_path):
    """A person with one study is sub-x, with two sub-x_ses-1 and sub-x_ses-2."""
    write_series(tmp_path / "dicom")
    out, _ = imported(tmp_path)
    config = ImportDicomConfig(str(tmp_path / "dicom"))
    before = {p: p.read_bytes() for p in out.rglob("sub-*") if p.is_file()}
    assert run(config, out, resume=True) == 0  # nothing has changed

    write_series(tmp_path / "dicom", StudyDate="20210101")
    with pytest.raises(FileExistsError, match=r"2 files of an earlier start \(sub-.*--overwrite"):
        run(config, out, resume=True)
    assert {p: p.read_bytes() for p in out.rglob("sub-*") if p.is_file()} == before
    assert run(config, out, overwrite=True) == 0
    assert [s.session for s in bids_scans(out, "T1w")] == ["1", "2"]


def test_a_scan_that_no_series_fits_any_more_is_not_left(tmp_path):
    write_series(tmp_path / "dicom")
    write_series(tmp_path / "dicom", PatientID="P2")
    out, _ = imported(tmp_path)
    write_series(tmp_path / "dicom", PatientID="P2", SeriesNumber=2)
    config = ImportDicomConfig(str(tmp_path / "dicom"))
    with pytest.raises(FileExistsError, match="no series fits any more"):
        run(config, out, resume=True)
    assert run(config, out, overwrite=True) == 1
    assert len(list(bids_scans(out, "T1w"))) == 1


def test_people_who_join_are_added_by_resume(tmp_path):
    write_series(tmp_path / "dicom")
    out, _ = imported(tmp_path)
    mine = next(out.glob("sub-*/anat")) / "sub-own_T1w_defaced.nii.gz"  # of nobody's start
    mine.write_bytes(b"own")
    write_series(tmp_path / "dicom", PatientID="P2")
    assert run(ImportDicomConfig(str(tmp_path / "dicom")), out, resume=True) == 0
    assert len(list(bids_scans(out, "T1w"))) == 2
    assert mine.read_bytes() == b"own"


def test_nothing_of_a_killed_start_stays(tmp_path):
    write_series(tmp_path / "dicom")
    out, _ = imported(tmp_path)
    (out / ".dicom").mkdir()
    (out / ".dicom" / "1.json").write_text('{"PatientName": "Doe"}')
    run(ImportDicomConfig(str(tmp_path / "dicom")), out, resume=True)
    assert not (out / ".dicom").exists()


def named(tmp_path):
    out = tmp_path / "named"
    run(ImportDicomConfig(str(tmp_path / "dicom"), names="id"), out)
    return out


@pytest.mark.skipif(
    not shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent)),
    reason="no validator",
)
def test_the_tree_passes_the_bids_validator(tmp_path):
    write_series(tmp_path / "dicom")
    write_series(tmp_path / "dicom", StudyDate="20210101")
    out, _ = imported(tmp_path)
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run([validator, "--json", out], capture_output=True, text=True, check=False)
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [i for i in issues if i["severity"] == "error"] == []


def test_what_cannot_be_imported(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="a folder of DICOM files is needed"):
        run(ImportDicomConfig(), tmp_path / "out")
    (tmp_path / "dicom").mkdir()
    (tmp_path / "dicom" / "notes.txt").write_text("no image")
    with pytest.raises(ValueError, match="made no volume of it"):
        imported(tmp_path)
    with pytest.raises(ValueError, match="series is '\\('"):
        ImportDicomConfig(series="(")
    with pytest.raises(ValueError, match=r"none-such is not here: pip install 'neuromf\[dicom\]'"):
        run(ImportDicomConfig(str(tmp_path / "dicom"), program="none-such"), tmp_path / "out2")
