"""A latent of an image and a mask, each with a VAE of its own, comes back as named volumes."""

import pytest
import torch

from neuromf.autoencoder.components import Component, decode, first, image_of, split
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.latents.store import LatentEntry, LatentStore, write_index, write_shard
from support import tiny_vae_network


@pytest.fixture(scope="module")
def vaes():
    return {
        "image": FrozenVAE(tiny_vae_network(0), "a"),
        "mask": FrozenVAE(tiny_vae_network(1), "b"),
    }


@pytest.fixture(scope="module")
def components(vaes):
    return tuple(Component(name, vae.space) for name, vae in vaes.items())


def test_a_store_holds_image_and_mask_and_decoding_names_them(tmp_path, vaes, components):
    x = {name: torch.rand(1, 1, 16, 16, 16) for name in vaes}
    latent = torch.cat([vaes[name].encode(x[name]) for name in vaes], 1)
    entry = LatentEntry("s", "s", "train", "shard-00000", age="31", contrast="FLAIR", site="A")
    entries = write_shard(tmp_path, "shard-00000", components, [(entry, latent[0], None)])
    write_index(tmp_path, components, (8, 4, 4, 4), entries, sigma=False)

    store = LatentStore(tmp_path)
    assert store.components == components
    assert store.vae == vaes["image"].space
    volumes = decode(store[0][None], store.components, vaes)
    assert list(volumes) == ["image", "mask"]
    for name, vae in vaes.items():
        assert torch.equal(volumes[name], vae.decode(vae.encode(x[name])))
    found = store.entries[0]
    assert (found.age, found.contrast, found.site) == ("31", "FLAIR", "A")


def test_channels_that_do_not_add_up(components):
    with pytest.raises(ValueError, match="a latent of 4 channels has the components image 4, mask"):
        split(torch.zeros(1, 4, 2, 2, 2), components)
    twice = (*image_of(components[0].vae), *image_of(components[1].vae))
    with pytest.raises(ValueError, match="components are image, image"):
        split(torch.zeros(1, 8, 2, 2, 2), twice)
    with pytest.raises(ValueError, match="a component is called 'a/b'"):
        Component("a/b", components[0].vae)


def test_decoders_of_one_latent_space_can_be_exchanged():
    one, other = tiny_vae_network(0), tiny_vae_network(0)
    with torch.no_grad():
        other.decoder[0].weight.mul_(2)
    a, b = FrozenVAE(one, "a"), FrozenVAE(other, "a")
    assert a.space == b.space
    assert a.decoder_sha256 != b.decoder_sha256
    assert a.sha256 != b.sha256
    with torch.no_grad():
        other.encoder[1].weight.mul_(2)
    assert FrozenVAE(other, "a").space != a.space


def test_the_first_component_is_what_its_vae_has_channels_for(vaes):
    vae = vaes["image"]
    latents = torch.randn(2, vae.channels + 3, 4, 4, 4)
    assert torch.equal(first(latents, vae), latents[:, : vae.channels])
