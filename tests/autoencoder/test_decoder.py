import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from neuromf.autoencoder.decoder import DecoderConfig, FastDecoder, new_decoder
from neuromf.autoencoder.small import SmallVAE
from support import randomised

TINY = DecoderConfig(quarter=8, half=4)


@pytest.mark.parametrize("channels", [4, 2])
def test_shapes(channels):
    y = FastDecoder(TINY, channels)(torch.rand(2, channels, 3, 4, 5))
    assert y.shape == (2, 1, 12, 16, 20)


def test_inside_a_tile_is_as_in_the_whole():
    network = randomised(FastDecoder(TINY)).double()
    z = torch.rand(1, 4, 32, 6, 6, dtype=torch.float64)
    whole, part = network(z), network(z[:, :, 4:28])
    inside, same = part[:, :, 32:64], whole[:, :, 48:80]
    torch.testing.assert_close(inside, same, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(part[:, :, :4], whole[:, :, 16:20])  # at its border it sees zeros


def test_it_takes_a_fifth_of_the_small_vaes_work():
    z = torch.rand(1, 4, 8, 8, 8)
    assert flops(FastDecoder(), z) < flops(SmallVAE().decode, z) / 5


def flops(network, z):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(z)
    return counter.get_total_flops()


def test_a_new_decoder_is_a_function_of_its_seed():
    z = torch.rand(1, 4, 4, 4, 4)
    before = torch.get_rng_state()
    one, two, other = (new_decoder(TINY, 4, seed)(z) for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="widths are 1 or more"):
        DecoderConfig(half=0)
