import torch

from neuromf.autoencoder.load import load_vae


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
