"""A grown network is the old one on the old channels, bit for bit, and can be made plain."""

import copy

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.gaussian import GaussianFlow
from neuromf.flow.jvp import finite_jvp
from neuromf.nets import DualTimeUNet
from neuromf.nets.grow import Blocks, grow, merge_grown
from neuromf.nets.precondition import Preconditioned, Skip
from support import relative, tiny_unet

SIZE = (4, 4, 4)


def gaussian(channels, seed):
    g = torch.Generator().manual_seed(seed)
    return GaussianFlow.fit(torch.randn(6, channels, *SIZE, generator=g))


def networks(kind, dtype=torch.float64):
    """The old network, and the same one grown by two channels."""
    make = {
        "none": lambda: tiny_unet(dtype),
        "skip": lambda: Preconditioned(tiny_unet(dtype), Skip(0.3), 0.3),
        "gaussian": lambda: Preconditioned(tiny_unet(dtype), gaussian(4, 1), 0.3),
    }[kind]
    old, grown = make(), make()
    grow(grown, 2, gaussian(2, 2) if kind == "gaussian" else None)
    return old, grown


def point(channels=6, dtype=torch.float64):
    g = torch.Generator().manual_seed(3)
    z = torch.randn(2, channels, *SIZE, generator=g, dtype=dtype)
    return z, torch.tensor([0.9, 0.5], dtype=dtype), torch.tensor([0.2, 0.1], dtype=dtype)


def learned(grown):
    for name, parameter in grown.named_parameters():
        if "grown" in name:
            torch.nn.init.normal_(parameter.data, std=0.1)
    return grown


@pytest.mark.parametrize("kind", ["none", "skip", "gaussian"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_image_part_is_the_trained_networks_bit_for_bit(kind, dtype):
    old, grown = networks(kind, dtype)
    z, t, r = point(dtype=dtype)
    found = grown(z, t, r)
    assert found.shape == z.shape
    assert torch.equal(found[:, :4], old(z[:, :4].contiguous(), t, r))


@pytest.mark.parametrize("kind", ["none", "skip", "gaussian"])
def test_merged_it_is_plain_and_gives_the_same(kind):
    _, grown = networks(kind)
    learned(grown)
    before, merged = grown(*point()), copy.deepcopy(grown)
    merge_grown(merged)
    torch.testing.assert_close(merged(*point()), before, rtol=1e-9, atol=1e-9)
    plain = tiny_unet(latent_channels=6)
    own = merged.network if kind != "none" else merged
    assert isinstance(own, DualTimeUNet)
    assert list(own.state_dict()) == list(plain.state_dict())
    assert own.config == plain.config
    plain.load_state_dict(own.state_dict())


@pytest.mark.parametrize("way", ["exact", "two-stream"])
def test_derivatives_agree(way):
    _, grown = networks("gaussian")
    z, t, r = point()
    terms = MeanFlow(predict="u", jvp=way).terms(learned(grown), z, torch.zeros_like(z), t, r)
    expected = finite_jvp(grown, terms.z, t, r, terms.tangent, step=1e-4)
    assert relative(terms.dudt, expected) < 1e-6


def test_flows_of_blocks_are_one_flow():
    blocks = Blocks(gaussian(4, 1), gaussian(2, 2))
    torch.testing.assert_close(blocks(*point()), blocks.merged()(*point()), rtol=1e-9, atol=1e-9)


def test_what_cannot_grow():
    with pytest.raises(ValueError, match="without a v head"):
        grow(tiny_unet(v_head_blocks=1), 2)
    with pytest.raises(ValueError, match="give base="):
        grow(Preconditioned(tiny_unet(), gaussian(4, 1), 0.3), 2)
