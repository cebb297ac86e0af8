import json

import pytest
import torch

from neuromf.autoencoder.mask_autoencoder import (
    MaskAutoencoderConfig,
    load_mask_autoencoder,
    new_mask_autoencoder,
    save_mask_autoencoder,
    shipped,
)
from neuromf.pretrained.statedict import WeightsError
from support import randomised

TINY = MaskAutoencoderConfig(channels=2, width=8)


def tiny(seed=0):
    return randomised(new_mask_autoencoder(TINY, seed), seed)


@pytest.fixture
def folder(tmp_path):
    save_mask_autoencoder(tmp_path, tiny(), TINY, "tiny")
    return tmp_path


def test_the_latent_of_an_empty_mask_is_zero_whatever_the_weights():
    z, sigma = tiny().encode(torch.zeros(1, 1, 16, 20, 24))
    assert z.shape == (1, 2, 4, 5, 6)
    assert not z.any()
    assert not sigma.any()


def test_latents_are_bounded_and_zero_far_from_lesions():
    mask = torch.zeros(1, 1, 64, 32, 32)
    mask[:, :, :8] = 1
    z, _ = tiny().encode(mask)
    assert z.abs().max() <= 1
    assert z[:, :, :2].any()
    assert not z[:, :, 8:].any()


def test_it_is_a_function_of_the_seed():
    one, other = (new_mask_autoencoder(TINY, 3).state_dict() for _ in range(2))
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_a_folder_holds_all_of_it(folder):
    vae = load_mask_autoencoder(folder, "mine")
    expected, mask = tiny().half().float(), (torch.rand(1, 1, 16, 16, 16) > 0.5).float()
    z = vae.encode(mask)
    torch.testing.assert_close(z, expected.encode(mask)[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(vae.decode(z), expected.decode(z), rtol=1e-4, atol=1e-5)
    assert (vae.name, vae.space.name, vae.channels, vae.factor) == ("mine", "mine", 2, 4)


def test_its_latent_space_is_that_of_its_encoder(folder, tmp_path):
    network = tiny()
    with torch.no_grad():
        network.decoder.shortcut.weight.mul_(2)
    (tmp_path / "same").mkdir()
    save_mask_autoencoder(tmp_path / "same", network, TINY, "same")
    (tmp_path / "other").mkdir()
    save_mask_autoencoder(tmp_path / "other", tiny(1), TINY, "other")
    one, same, other = (
        load_mask_autoencoder(f, "x").space for f in (folder, tmp_path / "same", tmp_path / "other")
    )
    assert one == same != other


def test_damage_is_noticed(folder):
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"sha256": "c" * 64}))
    with pytest.raises(WeightsError, match="of different networks, or the file is damaged"):
        load_mask_autoencoder(folder, "x")
    (folder / "config.json").write_text(json.dumps(record | {"kind": "small-vae"}))
    with pytest.raises(ValueError, match="'mask-autoencoder' and 4 are needed"):
        load_mask_autoencoder(folder, "x")


def test_sizes_that_make_no_network_are_refused():
    with pytest.raises(ValueError, match="widths are 1 or more"):
        MaskAutoencoderConfig(channels=0)


def test_the_one_that_ships_is_light():
    assert sum(p.stat().st_size for p in shipped().iterdir()) < 1_000_000
