"""A network of tensors without content counts what the real one has."""

from dataclasses import replace

import pytest
import torch

from neuromf.nets import DualTimeUNet
from neuromf.report.network import network_of
from report.support import CONFIG, SHAPE, TINY


def kept_by(network, config, shape) -> int:
    """Bytes that backward keeps, of real tensors."""
    own = {p.data_ptr() for p in network.parameters()}
    found = {}

    def pack(x):
        found[x.untyped_storage().data_ptr()] = (x.untyped_storage().nbytes(), x)
        return x

    z, t = torch.zeros(config.batch, *shape), torch.ones(config.batch)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        out = network(z, t, t)  # kept, so that nothing is freed  # noqa: F841
    return sum(size for pointer, (size, _) in found.items() if pointer not in own)


@pytest.mark.parametrize("heads", [0, 1])
def test_parameters_and_memory_are_those_of_the_real_network(heads):
    config = replace(CONFIG, network=replace(TINY, v_head_blocks=heads))
    real, found = DualTimeUNet(config.network), network_of(config, SHAPE)
    assert found.missing == ""
    assert found.parameters == sum(p.numel() for p in real.parameters())
    assert found.kept == kept_by(real, config, SHAPE)
    body = real.body
    by_name = {p.name: p for p in found.parts}
    assert by_name["middle"].parameters == sum(p.numel() for p in body.middle_block.parameters())
    assert ("v head" in by_name) == bool(heads)
    assert (by_name["down 1"].size, by_name["up 0"].size) == ((4, 4, 4), (8, 8, 8))
    assert (by_name["down 0"].attention, by_name["down 1"].attention) == (False, True)


def test_a_larger_batch_keeps_more_and_bfloat16_less():
    more = network_of(replace(CONFIG, batch=8), SHAPE)
    less = network_of(replace(CONFIG, batch=8, precision="bfloat16"), SHAPE)
    assert more.kept > 3 * network_of(CONFIG, SHAPE).kept
    assert less.kept < more.kept


@pytest.mark.parametrize(
    ("shape", "said"),
    [((), "neither samples nor"), ((8, 8, 8, 8), "8 channels"), ((4, 7, 8, 8), "do not fit")],
)
def test_sizes_that_are_not_known_are_missing_with_a_reason(shape, said):
    found = network_of(CONFIG, shape)
    assert said in found.missing
    assert found.kept == 0
    assert found.parameters == network_of(CONFIG, SHAPE).parameters
