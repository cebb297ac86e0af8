import shutil
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.data.volume import VolumeError
from neuromf.latents import LatentStore
from neuromf.latents.encode import EncodeConfig, run
from neuromf.latents.posterior import encode_volume, encode_volumes


@pytest.fixture
def volumes(tmp_path, cohort):
    """A cohort whose second volume is broken."""
    folder = tmp_path / "volumes"
    shutil.copytree(cohort, folder)
    (folder / "s1.nii.gz").write_bytes(b"another")
    return folder


def test_several_are_what_each_is_and_a_bad_one_stands_alone(volumes, vae_folder):
    vae, entries = load_vae(str(vae_folder)), read_cohort(volumes)
    for entry, posterior in zip(entries, encode_volumes(vae, entries), strict=True):
        if entry.name == "s1":
            with pytest.raises(VolumeError, match="another SHA-256"):
                posterior()
            continue
        for together, alone in zip(posterior(), encode_volume(vae, entry), strict=True):
            torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_values_that_are_not_finite_are_their_volumes_fault(cohort, vae_folder, monkeypatch):
    vae, entries = load_vae(str(vae_folder)), read_cohort(cohort)[:2]
    plain = vae.posterior

    def broken(x):
        mean, sigma = plain(x)
        mean[1, 0, 0, 0, 0] = torch.nan
        return mean, sigma

    monkeypatch.setattr(vae, "posterior", broken)
    good, bad = encode_volumes(vae, entries)
    assert torch.isfinite(good()[0]).all()
    with pytest.raises(VolumeError, match=r"NaN or Inf"):
        bad()


def test_a_store_made_in_batches(volumes, cohort, vae_folder, tmp_path):
    config = EncodeConfig(volumes=str(cohort), vae=str(vae_folder), shard=3)
    run(config, tmp_path / "one")
    assert run(replace(config, volumes=str(volumes), batch=2), tmp_path / "rest") == 1
    one, rest = LatentStore(tmp_path / "one"), LatentStore(tmp_path / "rest")
    kept = [i for i, e in enumerate(one.entries) if e.name != "s1"]
    assert [e.name for e in rest.entries] == [one.entries[i].name for i in kept]
    for i, j in enumerate(kept):
        torch.testing.assert_close(rest[i], one[j], rtol=1e-5, atol=1e-5)
