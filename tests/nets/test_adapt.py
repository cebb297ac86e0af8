"""What an adapter learned, put beside its base again, is the adapted network."""

import copy

import pytest
import torch

from neuromf.flow.gaussian import GaussianFlow
from neuromf.nets.adapt import adapt, closed_form, is_learned, learned, merge, with_learned
from neuromf.nets.config import LoRA
from neuromf.nets.precondition import Preconditioned
from support import tiny_unet

Z = torch.randn(2, 6, 4, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
T, R = torch.tensor([0.9, 0.4]).double(), torch.tensor([0.1, 0.3]).double()


def flow(channels, seed=1):
    g = torch.Generator().manual_seed(seed)
    return GaussianFlow.fit(torch.randn(5, channels, 4, 4, 4, generator=g))


def base(gaussian=True):
    return Preconditioned(tiny_unet(), flow(4), 0.3) if gaussian else tiny_unet()


@pytest.mark.parametrize("gaussian", [True, False])
@pytest.mark.parametrize("targets", ["attention", "both"])
def test_base_and_what_was_learned_are_the_adapted_network(gaussian, targets):
    lora = LoRA(rank=2, targets=targets)
    trained = base(gaussian)
    adapt(trained, lora, 2, flow(2, 2) if gaussian else None, embedding=False)
    for parameter in trained.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter.data, std=0.1)

    more = learned(trained)
    assert sum(v.numel() for v in more.values()) < 0.2 * sum(
        p.numel() for p in trained.parameters()
    )
    again = base(gaussian)
    state = with_learned(again.state_dict(), more)
    adapt(again, lora, 2, None, embedding=False)
    again.load_state_dict(state)
    assert torch.equal(again(Z, T, R), trained(Z, T, R))

    merged = copy.deepcopy(trained)
    merge(merged)
    torch.testing.assert_close(merged(Z, T, R), trained(Z, T, R), rtol=1e-9, atol=1e-9)
    assert not any(is_learned(name) for name in merged.state_dict())


def test_without_adapters_every_weight_is_trained():
    network = base()
    adapt(network, LoRA(rank=0), 2, flow(2), embedding=False)
    assert all(p.requires_grad for p in network.parameters())
    assert network.network.body.conv_in.conv.weight.shape[1] == 6
    assert type(network.network.body.conv_in.conv) is torch.nn.Conv3d


def test_which_networks_stand_about_a_flow_in_closed_form():
    assert closed_form(base())
    assert not closed_form(base(gaussian=False))
