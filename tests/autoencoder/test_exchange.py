import json
import shutil

import pytest
import torch

from neuromf.autoencoder.decoder import new_decoder
from neuromf.autoencoder.exchange import check_factor, with_decoder
from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace, check_space
from neuromf.autoencoder.load import load_vae
from neuromf.pretrained.statedict import WeightsError
from support import TINY_DECODER, randomised, tiny_decoder, tiny_vae_network


@pytest.fixture(scope="module")
def decoder_folder(vae_folder, tmp_path_factory):
    """A decoder for the tiny VAE."""
    return tiny_decoder(tmp_path_factory.mktemp("fast"), load_vae(str(vae_folder)))


def test_it_decodes_and_has_the_latent_space_of_its_encoder(decoder_folder, vae_folder):
    vae, decoder = load_vae(str(vae_folder)), load_vae(str(decoder_folder))
    z = torch.rand(1, 4, 4, 4, 4)
    assert decoder.space == vae.space
    expected = randomised(new_decoder(TINY_DECODER, 4, seed=0)).half().float()(z)
    torch.testing.assert_close(decoder.decode(z), expected, rtol=1e-4, atol=1e-4)
    assert not any("encoder" in key for key in decoder.network.state_dict())


def test_it_does_not_encode_and_says_what_does(decoder_folder):
    decoder = load_vae(str(decoder_folder))
    with pytest.raises(
        ValueError, match="fast holds a decoder and no encoder: encode with .* tiny"
    ):
        decoder.encode(torch.rand(1, 1, 8, 8, 8))


def test_a_vae_with_another_decoder(decoder_folder, vae_folder):
    vae, x = load_vae(str(vae_folder)), torch.rand(1, 1, 16, 16, 16)
    both = load_vae(str(vae_folder), decoder=str(decoder_folder))
    z = vae.encode(x)
    assert torch.equal(both.encode(x), z)
    assert torch.equal(both.decode(z), load_vae(str(decoder_folder)).decode(z))
    assert not torch.equal(both.decode(z), vae.decode(z))
    assert both.space == vae.space


def test_a_decoder_of_another_latent_space_is_refused(decoder_folder):
    other = FrozenVAE(tiny_vae_network(1), "other")
    with pytest.raises(ValueError, match="fast has the fingerprint .* decode latents of other"):
        with_decoder(other, load_vae(str(decoder_folder)))


def test_latents_of_version_0_1_are_decoded(decoder_folder, vae_folder):
    """It named a latent space by a whole VAE."""
    vae, decoder = load_vae(str(vae_folder)), load_vae(str(decoder_folder))
    check_space(decoder, LatentSpace("tiny", vae.sha256, 4, 4, of="vae"), "latents of", "none")
    with pytest.raises(ValueError, match="none"):
        check_space(decoder, LatentSpace("tiny", "b" * 64, 4, 4, of="vae"), "latents of", "none")


def test_damage_is_noticed(decoder_folder, tmp_path):
    folder = shutil.copytree(decoder_folder, tmp_path / "damaged")
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"sha256": "c" * 64}))
    with pytest.raises(WeightsError, match="of different networks, or the file is damaged"):
        load_vae(str(folder))
    record["network"]["half"] = 6
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(WeightsError, match="of another shape"):
        load_vae(str(folder))
    record["space"]["factor"] = 8
    (folder / "config.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="latents of tiny have the factor 8"):
        load_vae(str(folder))


def test_latents_of_another_factor_are_refused():
    with pytest.raises(ValueError, match="made for factor 4"):
        check_factor(LatentSpace("coarse", "a" * 64, 4, 8, of="encoder"))
