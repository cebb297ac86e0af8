"""The verb: sets that evaluate reads, whose volumes depend on seed and number alone; resumed, refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.reading import read_volume
from neuromf.data.scans import find_scans
from neuromf.generation.baselines import Baselines, BaselinesConfig, run
from neuromf.generation.decoding import cleaned
from neuromf.latents.shard import StoreError
from neuromf.runtime.config import ConfigError
from neuromf.runtime.folders import foreign_files
from training.support import latent_store


@pytest.fixture(scope="module")
def store(tmp_path_factory, vae_folder):
    folder = tmp_path_factory.mktemp("baselines") / "latents"
    return latent_store(folder, n=8, size=(4, 4, 6, 4), vae=load_vae(str(vae_folder)).space, val=2)


@pytest.fixture
def asked(store, vae_folder):
    def config(**changes):
        words = {"latents": str(store), "n": 2, "decoder": str(vae_folder), "device": "cpu"}
        return BaselinesConfig(**(words | changes))

    return config


def test_each_kind_is_a_set(tmp_path, asked):
    folders = run(asked(), tmp_path / "out")
    assert [f.name for f in folders] == ["principal", "gaussian", "noise"]
    voxels = []
    for folder in folders:
        scans = find_scans([str(folder)])
        assert [s.subject for s in scans] == ["sub-00000", "sub-00001"]
        volumes = [read_volume(Path(s.path)) for s in scans]
        assert volumes[0].spacing == pytest.approx((2, 2, 2))
        voxels += [v.voxels for v in volumes]
        record = json.loads(next(folder.glob("sub-00000/anat/*.json")).read_text())
        assert record["Model"] == folder.name
        assert record["VAESha256"] == load_vae(str(asked().decoder)).sha256
        assert "no person" in record["Description"]
        assert json.loads((folder / "dataset_description.json").read_text())["DatasetType"] == "derivative"  # fmt: skip
        assert (folder / "contact.png").is_file()
    assert all(v.min() >= 0 and v.max() <= 1 for v in voxels)
    assert len({v.tobytes() for v in voxels}) == 6


def test_a_volume_is_its_latent_decoded_and_cleaned(tmp_path, asked):
    baselines = Baselines(asked())
    [drawn] = baselines.draw("gaussian", [3])
    with torch.no_grad():
        expected = cleaned(baselines.vae.decode(drawn.latent[None]))
    np.testing.assert_array_equal(drawn.volume.voxels, expected)
    assert drawn.number == 3


def test_a_sample_depends_on_seed_and_number_alone(asked):
    def latent(seed, kind, numbers):
        return [d.latent for d in Baselines(asked(seed=seed)).draw(kind, numbers)][-1]

    for kind in ("principal", "gaussian", "noise"):
        assert torch.equal(latent(0, kind, [0, 1, 2]), latent(0, kind, [2]))
        assert not torch.equal(latent(0, kind, [2]), latent(1, kind, [2]))
        assert not torch.equal(latent(0, kind, [2]), latent(0, kind, [1]))


def test_resume_draws_what_is_missing(tmp_path, asked):
    out = tmp_path / "out"
    run(asked(kinds=("noise", "principal")), out)
    kept = {p: p.read_bytes() for p in out.rglob("*.nii.gz")}
    times = {p: p.stat().st_mtime_ns for p in kept}
    lost = sorted(kept)[1]
    lost.unlink()
    run(asked(kinds=("noise", "principal"), n=3), out, resume=True)
    assert len(list(out.rglob("*.nii.gz"))) == 6
    assert all(p.read_bytes() == bits for p, bits in kept.items())
    assert [p for p in kept if p.stat().st_mtime_ns != times[p]] == [lost]
    with pytest.raises(ConfigError, match="n=2 asks for fewer"):
        run(asked(kinds=("noise", "principal")), out, resume=True)
    with pytest.raises(ConfigError, match=r"another Seed \(0, now 1\)"):
        run(asked(kinds=("noise", "principal"), n=3, seed=1), out, resume=True)
    with pytest.raises(FileExistsError, match="not empty"):
        run(asked(), out)


def test_overwrite_leaves_nothing_of_the_earlier_run(tmp_path, asked):
    out = tmp_path / "out"
    run(asked(), out)
    run(asked(kinds=("noise",), n=1), out, overwrite=True)
    assert [p.name for p in out.iterdir() if p.is_dir()] == ["noise"]
    assert len(list(out.rglob("*.nii.gz"))) == 1
    from neuromf.generation.baselines import OUTPUT

    assert foreign_files(out, OUTPUT) == []


def test_refused_before_anything_is_made(tmp_path, asked, store):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="kinds is .*one or more of principal, gaussian, noise"):
        asked(kinds=("magic",))
    with pytest.raises(ValueError, match="each once"):
        asked(kinds=("noise", "noise"))
    with pytest.raises(ValueError, match="n is 0"):
        asked(n=0)
    with pytest.raises(ValueError, match="suffix"):
        asked(suffix="../x")
    with pytest.raises(ValueError, match="latents= names no folder"):
        run(BaselinesConfig(), out)
    with pytest.raises(StoreError, match="holds no index.json"):
        run(asked(latents=str(tmp_path)), out)
    with pytest.raises(ValueError, match="fingerprint"):
        run(asked(decoder="small"), out)
    with pytest.raises(FileExistsError, match="is the input"):
        run(asked(), store)
    assert not out.exists()
