"""The bench: configuration, corrupt files, reconstructions, equal files, one part of the features."""

import shutil
from dataclasses import replace

import pytest

from evaluation.conftest import MEASURES
from neuromf.data.volume import VolumeError, read_volume
from neuromf.evaluation.material import Bench, Protocol
from neuromf.evaluation.sets import read_set
from neuromf.metrics.paired import psnr


@pytest.fixture
def protocol(world, kept):
    return Protocol(
        reference=str(world / "real"), extractors=("random-3d",), morphology="none", cache=str(kept), workers=1
    )


def test_configuration_is_checked():
    for wrong, what in (
        ({"splits": ("tset",)}, "splits"),
        ({"bootstrap": 1}, "bootstrap 1"),
        ({"part": "9/8"}, "part"),
        ({"extractors": ()}, "extractors is empty"),
        ({"seed": -1}, "seed"),
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


def test_corrupt_files_are_left_out_and_counted(protocol, world, tmp_path):
    folder = tmp_path / "set"
    shutil.copytree(world / "same", folder)
    (folder / "v100_T1w.nii.gz").write_bytes(b"nothing")
    bench = Bench(protocol, tmp_path)
    found = bench.measure(read_set(str(folder)), MEASURES)
    assert len(found) == 11
    assert [r["path"] for r in bench.rejected] == [str(folder / "v100_T1w.nii.gz")]
    assert "1 of 12 files were left out" in bench.notes[0]
    assert "v100" in (tmp_path / "rejected.csv").read_text()
    for path in folder.glob("*.nii.gz"):
        path.write_bytes(b"nothing")
    with pytest.raises(VolumeError, match="none of the 12 files of set can be used; the first: .*gzip"):
        bench.measure(read_set(str(folder)), MEASURES)


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
    assert [i.name for i in found.volumes.items] == [i.name for i in reference.volumes.items[:3]]
    assert [i.person for i in found.volumes.items] == [i.person for i in reference.volumes.items[:3]]
    import torch

    a, b = (torch.from_numpy(read_volume(s.volumes.paths[0]).voxels) for s in (found, reference))
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
    bench = Bench(protocol, tmp_path)
    assert bench.vae([read_set(str(world / "same"))]) == ""
    assert Bench(replace(protocol, vae="small"), tmp_path).vae([]) == "small"
    assert Bench(replace(protocol, vae="none"), tmp_path).vae([]) == ""
    with pytest.raises(ValueError, match="vae=nonsense"):
        Bench(replace(protocol, vae="nonsense"), tmp_path).vae([])
