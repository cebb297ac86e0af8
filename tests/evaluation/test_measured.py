"""The bench: configuration, corrupt files, reconstructions, equal files, one part of the features."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluation.support import MEASURES
from features.support import blob
from neuromf.data.reading import read_volume
from neuromf.data.volume import Volume, VolumeError
from neuromf.evaluation.measured import Bench, Protocol
from neuromf.evaluation.run import numbers_of
from neuromf.evaluation.sets import read_set
from neuromf.metrics.similarity import psnr
from support import save_nifti


@pytest.fixture
def protocol(world, kept):
    return Protocol(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        cache=str(kept),
        workers=1,
    )


def test_configuration_is_checked():
    for wrong, what in (
        ({"splits": ("tset",)}, "splits"),
        ({"bootstrap": 1}, "bootstrap 1"),
        ({"part": "9/8"}, "part"),
        ({"extractors": ()}, "extractors is empty"),
        ({"seed": -1}, "seed"),
        ({"workers": -1}, "workers -1"),
        ({"n": -1}, "n -1"),
        ({"pairs": 0}, "pairs 0"),
        ({"draws": 0}, "draws 0"),
        ({"bootstrap": 10**9}, "100000 at most"),
        ({"decode_memory_gb": float("nan")}, "decode_memory_gb is nan"),
        ({"decode_memory_gb": 0.0}, "decode_memory_gb is 0"),
    ):
        with pytest.raises(ValueError, match=what):
            Protocol(**wrong)
    assert Protocol(part="2/8").share() == (2, 8)
    assert Protocol().share() == (1, 1)


def test_missing_weights_and_programs_are_refused_at_once(protocol, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="neuromf weights get radimagenet"):
        Bench(replace(protocol, extractors=("radimagenet",)), tmp_path)
    with pytest.raises(ValueError, match="mri_synthseg is not to be found"):
        Bench(replace(protocol, morphology="synthseg"), tmp_path)
    with pytest.raises(ValueError, match="reference= names no folder"):
        Bench(replace(protocol, reference=""), tmp_path)


def test_untrained_networks_are_told_at_once(protocol, tmp_path, monkeypatch, caplog):
    """Where trained weights are not here: on the terminal before the work, in the notes, and under their own names."""
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path))
    bench = Bench(replace(protocol, extractors=("auto",)), tmp_path)
    assert bench.config.extractors == ("random-2.5d", "random-3d")
    assert bench.notes[0].startswith("random-2.5d, random-3d: untrained networks")
    assert "neuromf weights get radimagenet" in caplog.text


def test_an_unwritable_cache_is_refused_at_once(protocol, tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="cache of features"):
        Bench(replace(protocol, cache=str(tmp_path / "file" / "cache")), tmp_path)


def test_corrupt_files_are_left_out_and_counted(protocol, world, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(world / "same", folder)
    (folder / "v100_T1w.nii.gz").write_bytes(b"nothing")
    bench = Bench(protocol, tmp_path)
    found = bench.measure(read_set(str(folder)), MEASURES)
    assert len(found) == 11
    assert [r["path"] for r in bench.rejected] == [str(folder / "v100_T1w.nii.gz")]
    assert "1 of 12 files were left out" in bench.notes[-1]
    assert "v100" in (tmp_path / "rejected.csv").read_text()
    for path in folder.glob("*.nii.gz"):
        path.write_bytes(b"nothing")
    with pytest.raises(
        VolumeError, match="none of the 12 files of set can be used; the first: .*gzip"
    ):
        bench.measure(read_set(str(folder)), MEASURES)


def test_a_full_disk_is_no_bad_file(protocol, world, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neuromf.features.cache.Cache.write", full)
    bench = Bench(replace(protocol, cache=str(tmp_path / "new")), tmp_path)
    with pytest.raises(OSError, match="No space left"):
        bench.measure(read_set(str(world / "same")), ("voxels",))


def test_a_volume_without_a_brain_stays_in(protocol, world, tmp_path):
    """What the tissue mixture cannot segment is judged by everything else, and counted."""
    bench = Bench(replace(protocol, morphology="tissue"), tmp_path)
    dot = np.zeros((32, 36, 32), np.float32)
    dot[10:13, 10:13, 10:13] = 0.5
    save_nifti(tmp_path / "dot_T1w.nii.gz", Volume(dot, blob(0).affine))
    found = bench.measure(read_set(str(tmp_path / "dot_T1w.nii.gz")), ("voxels", "tissue"))
    assert len(found) == 1
    assert torch.isnan(found.features.stacked("tissue", "ml")).all()


def test_a_part_takes_every_second_file(protocol, world, tmp_path):
    fresh = replace(protocol, cache=str(tmp_path / "cache"))
    halves = [Bench(replace(fresh, part=f"{i}/2"), tmp_path) for i in (1, 2)]
    found = [h.measure(read_set(str(world / "same")), ("voxels",)) for h in halves]
    names = [[i.name for i in f.volumes.items] for f in found]
    assert names[0] == [f"v{n}" for n in range(100, 112, 2)]
    assert sorted(names[0] + names[1]) == [f"v{n}" for n in range(100, 112)]


def test_reconstructions(protocol, tmp_path, vae_folder):
    bench = Bench(replace(protocol, reconstructions=3), tmp_path)
    reference = bench.measure(bench.reference, MEASURES)
    found = bench.reconstruct(reference, str(vae_folder), MEASURES)
    assert len(found) == 3
    of = numbers_of(found, reference)
    assert [i.person for i in found.volumes.items] == [
        reference.volumes.items[n].person for n in of
    ]
    paths = (found.volumes.paths[0], reference.volumes.paths[of[0]])
    a, b = (torch.from_numpy(read_volume(path).voxels) for path in paths)
    assert a.shape == b.shape
    assert 0 < psnr(a, b) < 60


def test_equal_files_are_noted(protocol, world, tmp_path):
    bench = Bench(protocol, tmp_path)
    reference = bench.measure(bench.reference, MEASURES)
    shutil.copy(reference.volumes.paths[0], tmp_path / "copy_T1w.nii.gz")
    samples = bench.measure(read_set(str(tmp_path / "copy_T1w.nii.gz")), MEASURES)
    bench.warn_of_equals(samples, reference)
    assert "1 files of copy_T1w.nii.gz are identical" in bench.notes[-1]
    part = reference.only([2, 0])
    assert [i.name for i in part.volumes.items] == [reference.volumes.items[i].name for i in (2, 0)]


def test_the_vae_that_samples_name(protocol, world, tmp_path):
    assert Bench(protocol, tmp_path, [read_set(str(world / "same"))]).vae == ""
    assert Bench(replace(protocol, vae="small"), tmp_path).vae == "small"
    assert Bench(replace(protocol, vae="none"), tmp_path).vae == ""
    folder = tmp_path / "drawn" / "sub-00000" / "anat"
    folder.mkdir(parents=True)
    shutil.copy(world / "same" / "v100_T1w.nii.gz", folder / "sub-00000_desc-generated_T1w.nii.gz")
    (folder / "sub-00000_desc-generated_T1w.json").write_text(
        '{"VAE": "small-vae", "VAESha256": "other"}'
    )
    bench = Bench(protocol, tmp_path, [read_set(str(tmp_path / "drawn"))])
    assert bench.vae == ""  # another of the same name
    assert "is not at hand: vae=FOLDER" in bench.notes[-1]
    with pytest.raises(ValueError, match="vae=nonsense"):
        Bench(replace(protocol, vae="nonsense"), tmp_path)
