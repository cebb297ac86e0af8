"""Adapters change nothing at first, go through every derivative, and merge to a plain network."""

import copy

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.flow.jvp import finite_jvp
from neuromf.nets import DualTimeUNet
from neuromf.nets.config import BRAIN, LoRA
from neuromf.nets.lora import add_lora, merge_lora, target_layers, trained
from support import relative, tiny_unet

TARGETS = ["attention", "convolutions", "both"]


def point(dtype=torch.float64):
    g = torch.Generator().manual_seed(1)
    z = torch.randn(2, 4, 4, 4, 4, generator=g, dtype=dtype)
    return z, torch.tensor([0.7, 0.5], dtype=dtype), torch.tensor([0.2, 0.1], dtype=dtype)


def learned(targets, dtype=torch.float64, rank=3):
    net = tiny_unet(dtype)
    add_lora(net, LoRA(rank=rank, targets=targets))
    for name, parameter in net.named_parameters():
        if "lora_up" in name:
            torch.nn.init.normal_(parameter.data, std=0.1)
    return net


@pytest.mark.parametrize("targets", TARGETS)
def test_a_new_adapter_changes_nothing_and_freezes_the_rest(targets):
    net, adapted = tiny_unet(), tiny_unet()
    add_lora(adapted, LoRA(rank=3, targets=targets))
    # the last bits differ on some processors: 2e-15 was seen
    torch.testing.assert_close(adapted(*point()), net(*point()), rtol=1e-13, atol=1e-13)
    names = {n for n, p in adapted.named_parameters() if p.requires_grad}
    layers = [name for name, _ in target_layers(net, targets)]
    assert names == {f"{n}.{part}" for n in layers for part in ("lora_down", "lora_up")}


@pytest.mark.parametrize("targets", TARGETS)
def test_merged_it_is_a_plain_network_with_the_same_output(targets):
    adapted = learned(targets, torch.float32)
    before = adapted(*point(torch.float32))
    merged = copy.deepcopy(adapted)
    merge_lora(merged)
    plain = tiny_unet(torch.float32)
    assert list(merged.state_dict()) == list(plain.state_dict())
    assert [type(m) for m in merged.modules()] == [type(m) for m in plain.modules()]
    assert not torch.allclose(before, plain(*point(torch.float32)))
    torch.testing.assert_close(merged(*point(torch.float32)), before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("targets", TARGETS)
@pytest.mark.parametrize("way", ["exact", "two-stream"])
def test_derivatives_agree_through_the_adapter(targets, way):
    net, (z, t, r) = learned(targets), point()
    terms = MeanFlow(predict="u", jvp=way).terms(net, z, torch.zeros_like(z), t, r)
    expected = finite_jvp(net, terms.z, t, r, terms.tangent, step=1e-4)
    assert relative(terms.dudt, expected) < 1e-6


def test_a_kernel_of_one_voxel_merges_too():
    """Where a library's merge fails (peft issue 3768)."""
    layer = torch.nn.Conv3d(5, 6, 1).double()
    holder = torch.nn.ModuleDict({"conv": layer})
    from neuromf.nets import lora

    lora._adapt(layer, 2, 0.5)
    torch.nn.init.normal_(layer.lora_up)
    x = torch.randn(1, 5, 3, 3, 3, dtype=torch.float64)
    before = layer(x)
    merge_lora(holder)
    torch.testing.assert_close(layer(x), before)


def test_less_than_one_percent_of_the_large_network_is_trained(record_property):
    with torch.device("meta"):
        net = DualTimeUNet(BRAIN)
        add_lora(net, LoRA(rank=16, targets="attention"))
    few, all_ = trained(net)
    record_property("measured", f"{few:,} of {all_:,} parameters: {few / all_:.2%}")
    assert (few, all_) == (417_792, 178_648_708 + 417_792)  # 0.23 %
    assert few / all_ < 0.01


@pytest.mark.parametrize("targets", ["convolutions", "both"])
def test_targets_are_compared_at_equal_numbers_of_parameters(targets):
    with torch.device("meta"):
        net = DualTimeUNet(BRAIN)
        rank = add_lora(net, LoRA(rank=0, parameters=2_000_000, targets=targets))
    assert rank >= 1
    assert 1_000_000 < trained(net)[0] <= 2_000_000


def test_what_cannot_be_adapted():
    with pytest.raises(ValueError, match=r"lora\.rank is 99: .*to_q has the weight \(32, 32\)"):
        add_lora(tiny_unet(), LoRA(rank=99))
    with pytest.raises(ValueError, match="adapters already"):
        add_lora(learned("both"), LoRA(rank=2))
    with pytest.raises(ValueError, match="rank 1 needs"):
        add_lora(tiny_unet(), LoRA(rank=0, parameters=3))
    with pytest.raises(ValueError, match="no such layer"):
        add_lora(torch.nn.Linear(3, 3), LoRA())
    with pytest.raises(ValueError, match="set rank=0"):
        LoRA(rank=4, parameters=100)
