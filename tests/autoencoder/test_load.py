import torch

from neuromf.autoencoder.load import decodes, load_vae
from neuromf.metrics.spectrum import high_frequency_energy


def test_the_shipped_vae_works_offline():
    vae = load_vae("small")
    x = torch.zeros(1, 1, 16, 16, 16)
    y = vae.decode(vae.encode(x))
    assert y.abs().max() < 0.1  # background stays background


def test_the_shipped_latent_space_stays():
    """Networks trained on it would draw noise in another one."""
    vae = load_vae("small")
    assert vae.space.sha256.startswith("9ec93afabf370674")
    # the whole VAE, as stores of version 0.1 name it
    assert "4fcd330189822331112e2acb244205f472630356ba0726a41f96e1d58a8c5490" in vae.whole


def test_the_sharpening_vae_has_more_detail():
    small, sharp = load_vae("small"), load_vae("small-sharp")
    assert (sharp.name, sharp.space) == ("small-sharp", small.space)
    z = torch.randn(1, 4, 8, 10, 8, generator=torch.Generator().manual_seed(0))
    lost, kept = (high_frequency_energy(vae.decode(z)[0, 0]) for vae in (small, sharp))
    assert 1.28 < kept / lost < 2.56  # squares of the filter's gains there


def test_the_fast_vae_encodes_as_the_small_one_and_decodes_nearly_so():
    small, fast = load_vae("small"), load_vae("small-fast")
    assert (fast.name, fast.space) == ("small-fast", small.space)
    x = torch.zeros(1, 1, 24, 24, 24)
    x[..., 6:18, 6:18, 6:18] = 0.7
    z = small.encode(x)
    assert torch.equal(fast.encode(x), z)
    assert (fast.decode(z) - small.decode(z)).abs().mean() < 0.02
    assert fast.decode_bytes < 0.2 * small.decode_bytes


def test_generated_latents_are_decoded_by_the_sharpening_vae():
    assert decodes("small-vae") == "small-sharp"
    assert decodes("maisi-v1") == "maisi-v1"
    assert decodes("runs/my-vae") == "runs/my-vae"
