from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.latents.encode import EncodeConfig, run
from neuromf.training.decoder_data import channel_std, content, latent_source, with_latents
from support import tiny_vae_network


@pytest.fixture(scope="module")
def vae(vae_folder):
    return load_vae(str(vae_folder))


@pytest.fixture
def store(cohort, vae_folder, tmp_path):
    config = EncodeConfig(volumes=str(cohort), vae=str(vae_folder), device="cpu")
    run(config, tmp_path / "latents")
    return tmp_path / "latents"


def test_a_store_gives_what_encoding_gives(cohort, vae, store):
    entries = read_cohort(cohort)
    encoded, read = (
        with_latents([entries], latent_source(vae, where)) for where in ("", str(store))
    )
    for one, other in zip(encoded[0], read[0], strict=True):
        assert one.entry is other.entry
        assert torch.equal(one.latent, other.latent)


def test_a_store_that_does_not_fit(cohort, vae, store):
    entries = read_cohort(cohort)
    with pytest.raises(ValueError, match="latents=.* were made by tiny .* leave latents= out"):
        latent_source(FrozenVAE(tiny_vae_network(1), "other"), str(store))
    changed = replace(entries[0], record=entries[0].record | {"sha256": "0" * 64})
    with pytest.raises(ValueError, match=r"holds no latent of .*nii.gz, or of an earlier version"):
        latent_source(vae, str(store))(changed)


def test_the_standard_deviation_is_over_all_volumes(cohort, vae):
    entries = read_cohort(cohort)
    volumes = with_latents([entries[:3], entries[3:5]], latent_source(vae))
    together = torch.cat([v.latent.flatten(1) for part in volumes for v in part], 1)
    torch.testing.assert_close(channel_std(volumes), together.std(1, correction=0))


def test_the_fingerprint_is_of_volumes_and_their_order(cohort):
    entries = read_cohort(cohort)
    assert content([entries]) == content([list(entries)])
    assert content([entries]) != content([entries[:-1]])
    changed = replace(entries[0], record=entries[0].record | {"sha256": "0" * 64})
    assert content([entries]) != content([[changed, *entries[1:]]])
