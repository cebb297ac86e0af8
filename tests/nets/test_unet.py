from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from monai.networks.nets.diffusion_model_unet import get_timestep_embedding

from neuromf.flow.jvp import exact_jvp
from neuromf.nets import BRAIN, SMALL, DualTimeUNet
from neuromf.nets.unet import FloatGroupNorm, _written_out, stock_network
from support import TINY, relative, tiny_unet


def inputs(*shape: int, dtype=torch.float64):
    z = torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(
        dtype
    )
    t = torch.linspace(1, 0.5, shape[0], dtype=dtype)
    return z, t, 0.3 * t


@pytest.mark.parametrize("size", [(8, 8, 8), (2, 4, 6), (12, 10, 8)])
def test_output_has_the_shape_of_the_input(size):
    z, t, r = inputs(2, 4, *size, dtype=torch.float32)
    assert tiny_unet(torch.float32)(z, t, r).shape == z.shape


def test_small_preset_at_twelve_cubed():
    z, t, r = inputs(2, 4, 12, 12, 12, dtype=torch.float32)
    assert DualTimeUNet(SMALL)(z, t, r).shape == z.shape


def test_brain_preset_is_the_network_of_the_papers():
    with torch.device("meta"):
        net = DualTimeUNet(BRAIN)
    assert sum(p.numel() for p in net.body.parameters()) == 178_566_276
    assert len(list(net.parameters())) == 434


def test_with_the_second_branch_zeroed_it_is_the_stock_network():
    width = TINY.channels[0]
    half = width // 2
    config = replace(
        TINY, lowest_frequency=1000 * 10000 ** (-(half - 1) / half), highest_frequency=1000.0
    )
    net = tiny_unet(
        lowest_frequency=config.lowest_frequency, highest_frequency=config.highest_frequency
    )
    for parameter in net.interval_embed.parameters():
        torch.nn.init.zeros_(parameter)
    stock = stock_network(config).double()
    stock.load_state_dict(net.body.state_dict())
    z, t, r = inputs(2, 4, 8, 8, 8)
    assert stock(z, 1000 * t).std() > 0.1
    assert (
        relative(net(z, t, r), stock(z, 1000 * t)) < 1e-4
    )  # MONAI computes its sinusoids in float32
    features = get_timestep_embedding(1000 * t, width).double()
    torch.testing.assert_close(net._sinusoids(t), features, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("conditioning", "t_matters", "r_matters"),
    [("t_h", True, True), ("dual", True, True), ("h", False, True)],
)
def test_conditioning(conditioning, t_matters, r_matters):
    net = tiny_unet(conditioning=conditioning)
    z, t, r = inputs(2, 4, 4, 4, 4)
    base = net(z, t, r)
    assert (relative(net(z, t - 0.1, r - 0.1), base) > 1e-4) == t_matters  # same interval, earlier
    assert (relative(net(z, t, r - 0.1), base) > 1e-4) == r_matters
    assert hasattr(net, "interval_embed") == (conditioning != "h")


def test_times_enter_smoothly():
    net = tiny_unet()
    z, t, r = inputs(2, 4, 8, 8, 8)
    slope = exact_jvp(net, z, t, r, torch.zeros_like(z))  # ∂_t x̂
    assert slope.norm() / torch.randn_like(z).norm() < 1


def test_a_new_network_returns_zero_and_only_its_last_layer_learns_at_first():
    net = DualTimeUNet(TINY).double()
    z, t, r = inputs(2, 4, 4, 4, 4)
    out = net(z, t, r)
    assert out.abs().max() == 0
    (out - z).square().mean().backward()
    assert sum(bool(p.grad.abs().max() > 0) for p in net.parameters()) == 2


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_head_is_a_second_output_that_can_be_left_out(blocks):
    net = tiny_unet(v_head_blocks=blocks)
    z, t, r = inputs(2, 4, 4, 4, 4)
    prediction, head = net(z, t, r)
    assert head.shape == z.shape
    assert relative(head, prediction) > 0.1
    net.head = None
    assert torch.equal(net.without_head(z, t, r), prediction)


def test_checkpointing_changes_no_bit():
    z, t, r = inputs(2, 4, 8, 8, 8, dtype=torch.float32)
    results = []
    for checkpointing in (False, True):
        net = tiny_unet(torch.float32, checkpointing=checkpointing, v_head_blocks=1)
        out = net(z, t, r)
        sum(o.square().sum() for o in out).backward()
        results.append([*out, *(p.grad for p in net.parameters())])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_group_norm_computes_in_float32_and_keeps_the_dtype():
    norm = torch.nn.GroupNorm(4, 8)
    torch.nn.init.normal_(norm.weight)
    norm.__class__ = FloatGroupNorm
    x = (100 + torch.randn(2, 8, 4, 4, 4)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x)
    assert out.dtype == torch.bfloat16
    assert torch.equal(out, F.group_norm(x.float(), 4, norm.weight, norm.bias).bfloat16())


def test_written_out_group_norm_equals_the_fused_one():
    x, weight, bias = (
        torch.randn(2, 8, 3, 4, 5).double(),
        torch.randn(8).double(),
        torch.randn(8).double(),
    )
    torch.testing.assert_close(
        _written_out(x, 4, weight, bias, 1e-6), F.group_norm(x, 4, weight, bias, 1e-6)
    )


def test_fused_attention_is_the_same_function(monkeypatch):
    z, t, r = inputs(2, 4, 8, 8, 8)
    calls, fused = [], F.scaled_dot_product_attention
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or fused(*a, **k)
    )
    tiny_unet()(z, t, r)
    assert len(calls) == 0
    tiny_unet(fused_attention=True)(z, t, r)
    assert len(calls) == 4
    assert relative(tiny_unet(fused_attention=True)(z, t, r), tiny_unet()(z, t, r)) < 1e-12


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        ((2, 3, 8, 8, 8), ValueError, r"this network takes \(B, 4, D, H, W\)"),
        ((2, 4, 8, 8), ValueError, r"\(B, 4, D, H, W\)"),
        ((2, 4, 8, 9, 8), ValueError, r"multiples of 2; pad to \(8, 10, 8\)"),
    ],
)
def test_wrong_shapes_are_named(shape, error, message):
    with pytest.raises(error, match=message):
        tiny_unet(torch.float32)(torch.zeros(shape), torch.ones(2), torch.zeros(2))


def test_wrong_times_and_dtypes_are_named():
    net, z = tiny_unet(torch.float32), torch.zeros(2, 4, 4, 4, 4)
    with pytest.raises(ValueError, match="one time per sample"):
        net(z, torch.ones(1), torch.zeros(2))
    with pytest.raises(TypeError, match="z has dtype torch.int64"):
        net(z.long(), torch.ones(2), torch.zeros(2))
