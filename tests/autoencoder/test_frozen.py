import numpy as np
import pytest
import torch

from neuromf.autoencoder.frozen import Autoencoder, FrozenVAE
from neuromf.autoencoder.load import load_vae
from support import tiny_vae_network


def tiny(**options):
    return FrozenVAE(tiny_vae_network(), "tiny", **options)


def test_frozen_and_without_graph():
    vae = tiny()
    assert isinstance(vae, Autoencoder)
    assert not any(p.requires_grad for p in vae.network.parameters())
    assert not vae.network.training
    x = torch.rand(1, 1, 8, 8, 8, requires_grad=True)
    z = vae.encode(x)
    assert z.grad_fn is None
    assert vae.decode(z.requires_grad_()).grad_fn is None


def test_encode_is_the_mean_and_draws_nothing():
    vae = tiny()
    x = torch.rand(2, 1, 8, 12, 8)
    assert torch.equal(vae.encode(x), vae.encode(x))
    mean, sigma = vae.network.encode(x)
    torch.testing.assert_close(vae.encode(x), mean)
    torch.testing.assert_close(vae.posterior(x)[1], sigma)


def test_bf16_is_close_and_comes_back_as_float32():
    full, half = tiny(), tiny(precision="bfloat16")
    x = torch.rand(1, 1, 16, 16, 16)
    z, z16 = full.encode(x), half.encode(x)
    assert z16.dtype == torch.float32
    assert 0 < (z16 - z).norm() / z.norm() < 0.03
    assert 0 < (half.decode(z) - full.decode(z)).norm() / full.decode(z).norm() < 0.03


def test_it_is_on_a_device_for_as_long_as_asked():
    """Also where decoding fails. The network notes where it is sent, for want of an accelerator."""
    vae, places = tiny(), []
    vae.network.to = places.append
    accelerator = torch.device("cuda", 1)
    with pytest.raises(RuntimeError, match="full"), vae.on(accelerator) as there:
        assert there is vae
        assert (vae.device, places) == (accelerator, [accelerator])
        raise RuntimeError("full")
    assert (vae.device, places) == (torch.device("cpu"), [accelerator, torch.device("cpu")])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_it_leaves_the_accelerator():
    vae, z = tiny(), torch.rand(1, 4, 4, 4, 4)
    here, before = vae.decode(z), torch.cuda.memory_allocated()
    with vae.on(torch.device("cuda")):
        torch.testing.assert_close(vae.decode(z).cpu(), here, rtol=1e-3, atol=1e-3)
        assert torch.cuda.memory_allocated() > before
    assert torch.cuda.memory_allocated() == before
    assert torch.equal(vae.decode(z), here)


def test_memory_of_decoding_is_bounded_by_tiles():
    vae = tiny(decode_bytes=1e6)
    weights = sum(4 * p.numel() for p in vae.network.parameters()) / 1e9
    assert vae.decode_gb((10, 10, 10), max_memory_gb=4) == pytest.approx(weights + 1)
    assert vae.decode_gb((20, 20, 20), max_memory_gb=4) == pytest.approx(weights + 4)
    half = tiny(decode_bytes=1e6, precision="bfloat16")
    assert half.decode_gb((10, 10, 10), max_memory_gb=4) == pytest.approx(weights + 0.5)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8, 6), (1, 2, 8, 8, 8), (1, 8, 8, 8), (1, 1, 0, 8, 8)])
def test_volumes_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"divisible by 4 is needed"):
        tiny().encode(torch.zeros(shape))


def test_latents_that_do_not_fit():
    with pytest.raises(
        ValueError, match=r"takes \(B, 4, D, H, W\): were they encoded with another VAE"
    ):
        tiny().decode(torch.zeros(1, 3, 4, 4, 4))


@pytest.mark.parametrize(
    "values",
    [np.zeros((1, 1, 8, 8, 8), np.float32), torch.zeros(1, 1, 8, 8, 8, dtype=torch.int16), None],
)
def test_what_is_no_tensor_of_numbers_is_refused(vae_folder, values):
    vae = load_vae(str(vae_folder))
    for method in (vae.encode, vae.decode, vae.posterior):
        with pytest.raises(ValueError, match="a tensor of floating-point numbers is needed"):
            method(values)


def test_an_unknown_precision_does_not_compute_in_float32(vae_folder):
    with pytest.raises(ValueError, match="precision is 'bf16': float32 or bfloat16"):
        load_vae(str(vae_folder), precision="bf16")
