"""The verb: files whose every bit is known, resumed, beside what they were drawn with."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from safetensors.torch import load_file

import neuromf
from neuromf.data.scans import find_scans
from neuromf.data.volume import STEPS
from neuromf.generation import command, samples
from neuromf.generation.command import GenerateConfig, run
from neuromf.generation.samples import SampleFolder, sample_path
from neuromf.runtime import config as settings


def asked(model_folder, **changes):
    return GenerateConfig(**({"model": str(model_folder), "n": 3, "device": "cpu"} | changes))


def test_files_hold_the_generators_volumes(tmp_path, model_folder):
    out = tmp_path / "samples"
    paths = run(asked(model_folder, latents=True), out)
    expected = neuromf.load(model_folder, "cpu").generate(3)
    for index, (path, volume) in enumerate(zip(paths, expected, strict=True)):
        image = nib.load(path)
        assert (
            path == out / f"sub-{index:05d}" / "anat" / f"sub-{index:05d}_desc-generated_T1w.nii.gz"
        )
        assert np.abs(np.asarray(image.dataobj) - volume.voxels).max() <= 0.51 / STEPS
        assert image.affine == pytest.approx(volume.affine)
        record = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        assert (record["Seed"], record["Index"], record["NFE"], record["Model"]) == (
            0,
            index,
            1,
            "tiny",
        )
        latent = load_file(path.with_name(path.name.replace(".nii.gz", "_latent.safetensors")))[
            "latent"
        ]
        assert tuple(latent.shape) == (4, 4, 6, 4)
    assert json.loads((out / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    timing = json.loads((out / "timing.json").read_text())
    assert timing["volumes"] == 3
    assert timing["seconds"]["network"] > 0
    assert (out / "contact.png").is_file()


def test_our_own_reader_finds_them(tmp_path, model_folder):
    run(asked(model_folder), tmp_path / "samples")
    assert [s.subject for s in find_scans([str(tmp_path / "samples")])] == [
        "sub-00000",
        "sub-00001",
        "sub-00002",
    ]


def test_resume_draws_what_is_missing(tmp_path, model_folder, monkeypatch):
    out = tmp_path / "samples"
    paths = run(asked(model_folder), out)
    bits = [path.read_bytes() for path in paths]
    paths[1].write_bytes(bits[1][:100])
    paths[2].with_name(paths[2].name.replace(".nii.gz", ".json")).unlink()
    kept = paths[0].stat().st_mtime_ns
    drawn = []
    write = SampleFolder.write
    monkeypatch.setattr(SampleFolder, "write", lambda *a: drawn.append(a[1].number) or write(*a))
    run(asked(model_folder, n=4), out, resume=True)
    assert drawn == [1, 2, 3]
    assert [path.read_bytes() for path in paths] == bits
    assert paths[0].stat().st_mtime_ns == kept


def test_other_settings_do_not_mix(tmp_path, model_folder):
    run(asked(model_folder), tmp_path / "samples")
    with pytest.raises(settings.ConfigError, match=r"another NFE \(1, now 2\)"):
        run(asked(model_folder, nfe=2), tmp_path / "samples", resume=True)
    with pytest.raises(FileExistsError, match="not empty"):
        run(asked(model_folder), tmp_path / "samples")


def test_samples_of_another_decoder_stay(tmp_path, model_folder, monkeypatch):
    paths = run(asked(model_folder), tmp_path / "samples")
    before = [path.read_bytes() for path in paths]
    describe = command.describe
    other = {"VAE": "another", "VAESha256": "0" * 64}
    monkeypatch.setattr(command, "describe", lambda *a: describe(*a) | other)
    with pytest.raises(settings.ConfigError, match=r"sub-00000.* another VAE \(.*, now another\)"):
        run(asked(model_folder, n=4), tmp_path / "samples", resume=True)
    assert [path.read_bytes() for path in paths] == before


def test_a_full_disk_stops_and_is_gone_on_from(tmp_path, model_folder, monkeypatch):
    out = tmp_path / "samples"
    write = samples.write_volume

    def full(path, volume):
        if "00001" in path.name:
            raise OSError(28, os.strerror(28), str(path))
        write(path, volume)

    monkeypatch.setattr(samples, "write_volume", full)
    with pytest.raises(OSError, match="No space"):
        run(asked(model_folder), out)
    monkeypatch.undo()
    run(asked(model_folder), out, resume=True)
    assert all(sample_path(out, i, "T1w").is_file() for i in range(3))
    assert not list(out.rglob(".*.nii.gz"))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nfe=0", "nfe is 0"),
        ("n=0", "n is 0"),
        ("seed=-1", "seed is -1"),
        ("suffix=../x", "suffix"),
    ],
)
def test_refused(word, said):
    with pytest.raises(settings.ConfigError, match=said):
        settings.load(GenerateConfig, [word], "generate")


def test_no_model(tmp_path):
    with pytest.raises(ValueError, match="model= names no model"):
        run(GenerateConfig(), tmp_path / "samples")
    assert not (tmp_path / "samples").exists()


@pytest.mark.skipif(
    not shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent)),
    reason="no validator",
)
def test_the_folder_passes_the_bids_validator(tmp_path, model_folder):
    run(asked(model_folder, latents=True), tmp_path / "samples")
    validator = Path(sys.executable).with_name("bids-validator-deno")
    done = subprocess.run(
        [validator, "--json", tmp_path / "samples"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [i for i in issues if i["severity"] in {"error", "warning"}] == []
