import torch

from neuromf.autoencoder.load import load_vae


def test_the_shipped_vae_works_offline():
    vae = load_vae("small")
    x = torch.zeros(1, 1, 16, 16, 16)
    y = vae.decode(vae.encode(x))
    assert y.abs().max() < 0.1  # background stays background
