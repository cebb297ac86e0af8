import shutil
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.small import (
    SmallVAE,
    SmallVAEConfig,
    gradient_l1,
    kl_to_standard_normal,
    save_small,
)
from neuromf.pretrained.statedict import WeightsError
from support import TINY_DECODER, TINY_VAE, randomised, tiny_vae_network


@pytest.mark.parametrize("size", [(8, 8, 8), (16, 20, 12), (4, 4, 4)])
def test_shapes(size):
    network = tiny_vae_network()
    mean, sigma = network.encode(torch.rand(2, 1, *size))
    assert mean.shape == sigma.shape == (2, 4, *(n // 4 for n in size))
    assert sigma.min() > 0
    assert network.decode(mean).shape == (2, 1, *size)


def test_the_shipped_size():
    assert sum(p.numel() for p in SmallVAE().parameters()) == 2_436_729  # 4.9 MB in float16


def test_inside_a_patch_is_as_in_the_volume():
    network = tiny_vae_network().double()
    x = torch.rand(1, 1, 96, 16, 16, dtype=torch.float64)
    whole = network.encode(x)[0]
    part = network.encode(x[:, :, 16:80])[0]
    torch.testing.assert_close(part[:, :, 6:10], whole[:, :, 10:14], rtol=1e-12, atol=1e-12)


def test_terms_of_the_loss():
    a = torch.zeros(1, 1, 4, 4, 4)
    ramp = torch.arange(4.0).view(1, 1, 4, 1, 1).expand(1, 1, 4, 4, 4)
    assert gradient_l1(a, ramp) == pytest.approx(1 / 3)
    assert gradient_l1(ramp, ramp + 5) == 0
    assert kl_to_standard_normal(torch.zeros(3), torch.ones(3)) == 0
    q, p = torch.distributions.Normal(0.7, 0.4), torch.distributions.Normal(0.0, 1.0)
    expected = torch.distributions.kl_divergence(q, p)
    torch.testing.assert_close(
        kl_to_standard_normal(torch.tensor([0.7]), torch.tensor([0.4])), expected
    )


def test_settings_are_checked():
    with pytest.raises(ValueError, match="widths are 1 or more"):
        SmallVAEConfig(half=0)


def test_saved_and_loaded(tmp_path):
    network = tiny_vae_network()
    save_small(tmp_path, network, TINY_VAE, "mine", half=False)
    vae = load_vae(str(tmp_path))
    x = torch.rand(1, 1, 8, 8, 8)
    assert vae.name == "mine"
    torch.testing.assert_close(vae.encode(x), network.encode(x)[0], rtol=1e-4, atol=1e-5)
    assert vae.sha256 == FrozenVAE(tiny_vae_network(), "tiny").sha256
    assert vae.sha256 != FrozenVAE(tiny_vae_network(1), "other").sha256


def test_a_fast_decoder_in_place_of_its_own(vae_folder, tmp_path):
    before = load_vae(str(vae_folder))
    network = randomised(SmallVAE(TINY_VAE, TINY_DECODER), 1)
    network.encoder.load_state_dict(before.network.encoder.state_dict())
    earlier = (before.sha256,)
    save_small(
        tmp_path, network, TINY_VAE, "mine", half=False, decoder=TINY_DECODER, earlier=earlier
    )

    vae, x = load_vae(str(tmp_path)), torch.rand(1, 1, 16, 16, 16)
    z = vae.encode(x)
    assert torch.equal(z, before.encode(x))  # bit for bit
    assert vae.space.sha256 == before.space.sha256
    assert vae.whole == (vae.sha256, before.sha256)
    torch.testing.assert_close(vae.decode(z), network.decoder(z), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="has the fingerprint"):
        check_space(before, replace(vae.space, sha256=vae.sha256, of="vae"), "latents of", "")


def test_a_folder_with_other_weights(tmp_path):
    save_small(tmp_path, SmallVAE(), TINY_VAE, "mine")
    with pytest.raises(WeightsError, match="of another shape: encoder.1.weight"):
        load_vae(str(tmp_path))
    with pytest.raises(ValueError, match="vae=nothing: small, small-sharp, small-fast, maisi"):
        load_vae("nothing")


def test_damaged_weights_are_noticed(vae_folder, tmp_path):
    folder = shutil.copytree(vae_folder, tmp_path / "vae")
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-2] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="of different networks, or the file is damaged"):
        load_vae(str(folder))
