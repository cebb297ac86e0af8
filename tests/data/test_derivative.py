"""Prepared volumes as a BIDS derivative: what it holds, and BIDS's own validator."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from data.support import ball
from neuromf.data.cohort import read_cohort
from neuromf.data.derivative import ExportBidsConfig, labelled, run
from neuromf.data.prepare import PrepareConfig
from neuromf.data.prepare import run as prepare
from neuromf.data.preprocess import Preprocessing
from neuromf.data.volume import VolumeError
from neuromf.runtime.config import ConfigError
from support import AFFINES, egg, save_nifti

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A BIDS tree of three sessions of two people, one with a lesion; its volumes; the derivative."""
    raw = tmp_path_factory.mktemp("bids") / "raw"
    image = egg(AFFINES["straight"])
    for place in ("sub-01/ses-1", "sub-01/ses-2", "sub-02/ses-1"):
        person, session = place.split("/")
        folder = raw / place / "anat"
        folder.mkdir(parents=True)
        save_nifti(folder / f"{person}_{session}_FLAIR.nii.gz", image)
    masks = raw / "derivatives" / "masks" / "sub-02" / "ses-1" / "anat"
    masks.mkdir(parents=True)
    save_nifti(masks / "sub-02_ses-1_label-lesion_mask.nii.gz", ball(image), np.uint8)
    about = {"Name": "raw", "BIDSVersion": "1.10.0", "DatasetDOI": "doi:10.0/none"}
    (raw / "dataset_description.json").write_text(json.dumps(about))
    (raw / "participants.tsv").write_text("participant_id\tage\nsub-01\t61\nsub-02\tn/a\n")

    volumes, out = raw.parent / "volumes", raw.parent / "derivative"
    small = Preprocessing(spacing=4.0, shape=(40, 48, 40))
    prepare(PrepareConfig(str(raw), "FLAIR", preprocessing=small, workers=1), volumes)
    run(ExportBidsConfig(str(volumes)), out)
    return raw, volumes, out


def test_volumes_masks_and_people_are_there(folders):
    _, volumes, out = folders
    found = sorted(p.relative_to(out).as_posix() for p in out.rglob("sub-*/**/*.nii.gz"))
    assert found == [
        "sub-01/ses-1/anat/sub-01_ses-1_desc-prepared_FLAIR.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_desc-prepared_FLAIR.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_desc-prepared_FLAIR.nii.gz",
        "sub-02/ses-1/anat/sub-02_ses-1_label-lesion_desc-prepared_mask.nii.gz",
    ]
    source = nib.load(volumes / "sub-02_ses-1.nii.gz")
    copied = nib.load(out / found[2])
    assert np.array_equal(source.dataobj, copied.dataobj)
    assert np.array_equal(source.affine, copied.affine)
    rows = (out / "participants.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["participant_id", "age", "sex", "dataset", "split"]
    assert rows[1].split("\t")[:4] == ["sub-01", "61", "n/a", "raw"]
    assert len(rows) == 3


def test_sources_lead_to_the_raw_scans(folders):
    raw, _, out = folders
    about = json.loads((out / "dataset_description.json").read_text())
    assert about["DatasetLinks"] == {"source1": "doi:10.0/none"}
    assert about["GeneratedBy"][0]["Name"] == "NeuroMF"
    anat = out / "sub-02" / "ses-1" / "anat"
    for name in ("desc-prepared_FLAIR", "label-lesion_desc-prepared_mask"):
        sidecar = json.loads((anat / f"sub-02_ses-1_{name}.json").read_text())
        assert sidecar["Sources"] == ["bids:source1:sub-02/ses-1/anat/sub-02_ses-1_FLAIR.nii.gz"]
        assert str(raw) not in json.dumps(sidecar)
    assert sidecar["Type"] == "Lesion"


@pytest.mark.skipif(not VALIDATOR.is_file(), reason="no validator")
def test_the_validator_finds_no_error(folders):
    done = subprocess.run(
        [VALIDATOR, "--json", folders[2]], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [i for i in issues if i["severity"] == "error"] == []


def test_what_is_there_is_kept_and_what_is_gone_is_copied_again(folders, tmp_path):
    _, volumes, out = folders
    shutil.copytree(out, tmp_path / "again")
    anat = tmp_path / "again" / "sub-01" / "ses-1" / "anat"
    kept = tmp_path / "again/sub-01/ses-2/anat/sub-01_ses-2_desc-prepared_FLAIR.nii.gz"
    before = kept.stat().st_mtime_ns
    (anat / "sub-01_ses-1_desc-prepared_FLAIR.nii.gz").unlink()
    run(ExportBidsConfig(str(volumes)), tmp_path / "again", resume=True)
    assert (anat / "sub-01_ses-1_desc-prepared_FLAIR.nii.gz").is_file()
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subject": "sub-0-1"}, "sub-01 and sub-0-1 would both be sub-01"),
        ({"subject": "sub-0-1", "session": "9"}, "would both be sub-01"),  # they are two people
        ({"subject": "sub-01", "session": "1_"}, "would both be sub-01 ses-1"),
        ({"subject": "Ж"}, "no ASCII letter"),
    ],
)
def test_labels_that_bids_cannot_tell_apart_are_refused(folders, change, said):
    entries = read_cohort(folders[1])
    other = replace(entries[0], name="other", record=entries[0].record | change)
    with pytest.raises(ValueError, match=said):
        labelled([entries[0], other])


def test_other_folders_and_suffixes_are_refused(folders, tmp_path):
    with pytest.raises(ConfigError, match="volumes= names no folder"):
        run(ExportBidsConfig(), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"no manifest\.csv"):
        run(ExportBidsConfig(str(folders[0])), tmp_path / "out")
    with pytest.raises(ValueError, match="letters and digits alone"):
        ExportBidsConfig("volumes", "T1 w")
    assert not (tmp_path / "out").exists()


def test_whole_heads_masks_with_a_path_and_damaged_volumes(folders, tmp_path):
    _, volumes, _ = folders
    shutil.copytree(volumes, tmp_path / "volumes")
    for number, strip in enumerate(
        [
            {"method": "none", "stripped_already": False},
            {"method": "mask", "file": "/home/me/m.nii"},
        ],
        1,
    ):
        path = tmp_path / "volumes" / f"sub-01_ses-{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"strip": strip}))
    run(ExportBidsConfig(str(tmp_path / "volumes")), tmp_path / "out")
    told = [
        (tmp_path / f"out/sub-01/ses-{n}/anat/sub-01_ses-{n}_desc-prepared_FLAIR.json").read_text()
        for n in (1, 2)
    ]
    assert [json.loads(text)["SkullStripped"] for text in told] == [False, True]
    assert "/home" not in told[1]

    (tmp_path / "volumes" / "sub-02_ses-1.nii.gz").write_bytes(b"damaged")
    with pytest.raises(VolumeError, match="is not the file that was prepared"):
        run(ExportBidsConfig(str(tmp_path / "volumes")), tmp_path / "again")
