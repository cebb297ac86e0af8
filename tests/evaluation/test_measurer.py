"""Measuring sets: corrupt files, reconstructions, equal files, one part of the features."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluation.support import MEASURES
from features.support import blob
from neuromf.data.reading import read_volume
from neuromf.data.volume import Volume, VolumeError
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measured import MeasuredSets
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.sets import read_set
from neuromf.features.plain import TISSUE
from neuromf.metrics.similarity import psnr
from support import save_nifti


@pytest.fixture
def config(world, kept):
    return EvaluationConfig(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        cache=str(kept),
        workers=1,
    )


def test_missing_weights_and_programs_are_refused_at_once(config, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="neuromf weights get radimagenet"):
        Measurer(replace(config, extractors=("radimagenet",)), tmp_path)
    with pytest.raises(ValueError, match="mri_synthseg is not to be found"):
        Measurer(replace(config, morphology="synthseg"), tmp_path)
    with pytest.raises(ValueError, match="reference= names no folder"):
        Measurer(replace(config, reference=""), tmp_path)


def test_untrained_networks_are_told_at_once(config, tmp_path, monkeypatch, caplog):
    """Where trained weights are not here: on the terminal before the work, in the notes, and under their own names."""
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    measurer = Measurer(replace(config, extractors=("auto",)), tmp_path)
    assert measurer.config.extractors == ("random-2.5d", "random-3d")
    assert measurer.notes[0].startswith("random-2.5d, random-3d: untrained networks")
    assert "neuromf weights get radimagenet" in caplog.text


def test_an_unwritable_cache_is_refused_at_once(config, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="cache of features"):
        Measurer(replace(config, cache=str(tmp_path / "file" / "cache")), tmp_path)


def test_corrupt_files_are_left_out_and_counted(config, world, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(world / "same", folder)
    (folder / "v100_T1w.nii.gz").write_bytes(b"nothing")
    measurer = Measurer(config, tmp_path)
    found = measurer.measure(read_set(str(folder)), MEASURES)
    assert len(found) == 11
    assert [r["path"] for r in measurer.rejected] == [str(folder / "v100_T1w.nii.gz")]
    assert "1 of 12 files were left out" in measurer.notes[-1]
    assert "v100" in (tmp_path / "rejected.csv").read_text()
    for path in folder.glob("*.nii.gz"):
        path.write_bytes(b"nothing")
    with pytest.raises(
        VolumeError, match="none of the 12 files of set can be used; the first: .*gzip"
    ):
        measurer.measure(read_set(str(folder)), MEASURES)


def test_a_full_disk_is_no_bad_file(config, world, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neuromf.features.cache.Cache.write", full)
    measurer = Measurer(replace(config, cache=str(tmp_path / "new")), tmp_path)
    with pytest.raises(OSError, match="No space left"):
        measurer.measure(read_set(str(world / "same")), ("voxels",))


def test_a_volume_without_a_brain_stays_in(config, world, tmp_path):
    """What the tissue mixture cannot segment is evaluated by everything else, and counted."""
    measurer = Measurer(replace(config, morphology="tissue"), tmp_path)
    dot = np.zeros((32, 36, 32), np.float32)
    dot[10:13, 10:13, 10:13] = 0.5
    save_nifti(tmp_path / "dot_T1w.nii.gz", Volume(dot, blob(0).affine))
    found = measurer.measure(read_set(str(tmp_path / "dot_T1w.nii.gz")), ("voxels", "tissue"))
    assert len(found) == 1
    assert torch.isnan(found.features.stacked(TISSUE, "ml")).all()


def test_a_part_takes_every_second_file(config, world, tmp_path):
    fresh = replace(config, cache=str(tmp_path / "cache"))
    halves = [Measurer(replace(fresh, part=f"{i}/2"), tmp_path) for i in (1, 2)]
    found = [h.measure(read_set(str(world / "same")), ("voxels",)) for h in halves]
    names = [[i.name for i in f.volumes.items] for f in found]
    assert names[0] == [f"v{n}" for n in range(100, 112, 2)]
    assert sorted(names[0] + names[1]) == [f"v{n}" for n in range(100, 112)]


def test_reconstructions(config, tmp_path, vae_folder):
    config = replace(config, reconstructions=3, vae=str(vae_folder))
    measurer = Measurer(config, tmp_path)
    reference = measurer.measure(measurer.reference, measurer.measures)
    found = measurer.reconstruct(reference)
    assert len(found) == 3
    of = MeasuredSets([], reference, reconstruction=found).reconstructed
    assert [i.person for i in found.volumes.items] == [
        reference.volumes.items[n].person for n in of
    ]
    paths = (found.volumes.paths[0], reference.volumes.paths[of[0]])
    a, b = (torch.from_numpy(read_volume(path).voxels) for path in paths)
    assert a.shape == b.shape
    assert 0 < psnr(a, b) < 60


def test_the_vae_that_samples_name(config, world, tmp_path):
    assert Measurer(config, tmp_path, [read_set(str(world / "same"))]).vae == ""
    assert Measurer(replace(config, vae="small"), tmp_path).vae == "small"
    assert Measurer(replace(config, vae="none"), tmp_path).vae == ""
    folder = tmp_path / "drawn" / "sub-00000" / "anat"
    folder.mkdir(parents=True)
    shutil.copy(world / "same" / "v100_T1w.nii.gz", folder / "sub-00000_desc-generated_T1w.nii.gz")
    (folder / "sub-00000_desc-generated_T1w.json").write_text(
        '{"VAE": "small-vae", "VAESha256": "other"}'
    )
    measurer = Measurer(config, tmp_path, [read_set(str(tmp_path / "drawn"))])
    assert measurer.vae == ""  # another of the same name
    assert "is not at hand: vae=FOLDER" in measurer.notes[-1]
    with pytest.raises(ValueError, match="vae=nonsense"):
        Measurer(replace(config, vae="nonsense"), tmp_path)
