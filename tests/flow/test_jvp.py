import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from neuromf.flow import MeanFlow
from neuromf.flow.jvp import WAYS, TangentOnly, exact_jvp, finite_jvp, two_stream
from neuromf.nets import SMALL, DualTimeUNet
from support import batch, gradients, mlp, randomised, relative, tiny_unet


def central(net, z, t, r, v, step):
    return finite_jvp(net, z, t, r, v, step=step)


@pytest.fixture
def unet_case():
    net = tiny_unet()
    z, v = torch.randn(
        2, 2, 4, 8, 8, 8, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    )
    t, r = torch.tensor([0.7, 0.9]).double(), torch.tensor([0.2, 0.0]).double()
    assert net(z, t, r).std() > 1e-2  # a derivative of zero would prove nothing
    return net, z, t, r, v


def test_exact_equals_a_central_difference_in_float64(unet_case, record_property):
    net, *case, v = unet_case
    error = relative(central(net, *case, v, 1e-5), exact_jvp(net, *case, v))
    record_property("measured", f"relative error {error:.2g}")
    assert error < 1e-6


def test_central_difference_is_of_second_order(unet_case, record_property):
    net, *case, v = unet_case
    exact = exact_jvp(net, *case, v)
    errors = [relative(central(net, *case, v, step), exact) for step in (1e-2, 1e-3)]
    record_property(
        "measured", f"a tenth of the step has an error {errors[0] / errors[1]:.4g} times smaller"
    )
    assert 50 < errors[0] / errors[1] < 200


def test_exact_equals_a_central_difference_in_float32(record_property):
    net = tiny_unet(torch.float32)
    z, v = torch.randn(2, 2, 4, 8, 8, 8)
    t, r = torch.tensor([0.7, 0.9]), torch.tensor([0.2, 0.0])
    error = relative(finite_jvp(net, z, t, r, v), exact_jvp(net, z, t, r, v))
    record_property("measured", f"relative error {error:.2g} with the difference's own step")
    assert error < 0.01


@pytest.mark.parametrize(
    "options",
    [{}, {"checkpointing": True}, {"fused_attention": True}, {"v_head_blocks": 2}],
    ids=str,
)
@pytest.mark.parametrize("way", ["two-stream", "finite"])
def test_ways_agree_on_value_slope_and_gradient(way, options, record_property):
    x, noise, t, r = batch(4, 4, 8, 8, 8)
    results = {}
    for name in ("exact", way):
        net = tiny_unet(**options)
        objective = MeanFlow(jvp=name)
        terms = objective.terms(net, x, noise, t, r)
        objective.loss(terms).total.backward()
        results[name] = (terms.u, terms.dudt, terms.compound, gradients(net))
    errors = [relative(a, b) for a, b in zip(results[way], results["exact"], strict=True)]
    if not options:
        record_property(
            "measured", f"{way} against exact: du/dt {errors[1]:.2g}, gradient {errors[3]:.2g}"
        )
    tolerance = 1e-10 if way == "two-stream" else 1e-2
    assert max(errors) < tolerance


def test_derivative_costs_two_forwards_and_bits_do_not_change():
    net = randomised(DualTimeUNet(SMALL))
    z, v = torch.randn(2, 1, 4, 8, 8, 8)
    t, r = torch.tensor([0.7]), torch.tensor([0.2])
    with torch.no_grad(), FlopCounterMode(display=False) as forward:
        net(z, t, r)
    with FlopCounterMode(display=False) as derivative:
        rate = exact_jvp(net, z, t, r, v)
    assert derivative.get_total_flops() / forward.get_total_flops() == pytest.approx(2.0, abs=0.01)
    with torch.no_grad(), torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        usual = torch.func.jvp(lambda z, t: net(z, t, r), (z, t), (v, torch.ones_like(t)))[1]
    assert relative(rate, usual) < 1e-6


@pytest.mark.parametrize(
    "layer",
    [
        lambda z, w, t: F.linear(z, w, t.unsqueeze(1) * w[0]),
        lambda z, w, t: F.linear(z, w * t.sum()),
    ],
)
def test_weights_that_depend_on_time_keep_their_derivative(layer):
    w = torch.randn(3, 3, dtype=torch.float64)
    z, v, t, r = batch(2, 3)
    net = lambda z, t, r: torch.tanh(layer(z, w, t))
    if layer(z, w, t).shape != z.shape:
        pytest.fail("not a network")
    assert relative(finite_jvp(net, z, t, r, v, step=1e-5), exact_jvp(net, z, t, r, v)) < 1e-8


@pytest.mark.parametrize("tf32", [True, False])
def test_finite_differences_leave_tf32_as_it_was(tf32):
    net, (z, v, t, r) = mlp(), batch(2, 3)
    new = hasattr(torch.backends.cudnn, "conv")
    backend, name, value = (
        torch.backends.cuda.matmul,
        *(("fp32_precision", "tf32") if new else ("allow_tf32", tf32)),
    )
    before = getattr(backend, name)
    try:
        setattr(backend, name, value if tf32 else before)
        kept = getattr(backend, name)
        finite_jvp(net, z, t, r, v)
        assert getattr(backend, name) == kept
    finally:
        setattr(backend, name, before)


def test_tangent_only_layers_leave_the_value_alone():
    layer = torch.nn.Conv3d(2, 3, 3)
    x = torch.randn(1, 2, 4, 4, 4)
    with torch.no_grad(), TangentOnly():
        assert torch.equal(layer(x), F.conv3d(x, layer.weight, layer.bias))


@pytest.mark.parametrize("predict", ["x", "u"])
def test_a_field_that_ignores_its_input_has_no_slope_of_its_own(predict):
    x, noise, t, r = batch(4, 3)
    constant = torch.ones(3, dtype=torch.float64, requires_grad=True)
    for way in WAYS:
        terms = MeanFlow(predict=predict, jvp=way, tangent="conditional").terms(
            lambda z, t, r: constant.expand(len(t), 3), x, noise, t, r
        )
        expected = (
            torch.zeros_like(x) if predict == "u" else (terms.target - terms.u) / t.unsqueeze(1)
        )
        moving = r < t
        torch.testing.assert_close(terms.dudt[moving], expected.detach()[moving])


def test_only_rows_with_an_interval_are_differentiated():
    seen = []

    def counted(z, t, r):
        seen.append(len(t))
        return net(z, t, r)

    net, (x, noise, t, r) = mlp(), batch(8, 3)
    MeanFlow(jvp="exact").terms(counted, x, noise, t, r)
    assert sorted(seen) == [6, 6, 8]  # boundary tangent and jvp on 6 rows, prediction of all 8
    seen.clear()
    MeanFlow(jvp="exact").terms(counted, x, noise, t, t)
    assert seen == [8]  # r = t everywhere: one plain forward


@pytest.mark.parametrize("way", WAYS)
def test_rows_keep_their_order(way):
    net, (x, noise, t, r) = mlp(head=True), batch(8, 3)
    whole = MeanFlow(jvp=way).terms(net, x, noise, t, r)
    for row in range(8):
        one = slice(row, row + 1)
        alone = MeanFlow(jvp=way).terms(net, x[one], noise[one], t[one], r[one])
        for name in ("u", "dudt", "compound", "tangent", "head"):
            torch.testing.assert_close(getattr(whole, name)[one], getattr(alone, name))


def test_autocast_keeps_the_derivative_close():
    net = tiny_unet(torch.float32)
    z, v = torch.randn(2, 2, 4, 8, 8, 8)
    t, r = torch.tensor([0.7, 0.9]), torch.tensor([0.2, 0.0])
    exact = exact_jvp(net, z, t, r, v)
    rows = torch.arange(2)
    with torch.autocast("cpu", torch.bfloat16):
        assert relative(exact_jvp(net, z, t, r, v).float(), exact) < 0.1
        assert relative(two_stream(net, z, t, r, rows, v)[2].float(), exact) < 0.1
        assert relative(finite_jvp(net, z, t, r, v), exact) < 0.01  # leaves autocast by itself


def test_a_compiled_network_gives_the_same():
    x, noise, t, r = batch(2, 4, 8, 8, 8, dtype=torch.float32)
    net = tiny_unet(torch.float32, channels=(16,), attention=(True,), attention_head_channels=(16,))
    compiled = torch.compile(net, backend="aot_eager")  # once: it is most of the test
    for way in ("exact", "finite"):
        results = []
        for network in (net, compiled):
            net.zero_grad()
            terms = MeanFlow(jvp=way).terms(network, x, noise, t, r)
            MeanFlow().loss(terms).total.backward()
            results.append((terms.compound, gradients(net)))
        assert all(relative(a, b) < 1e-4 for a, b in zip(*results, strict=True)), way


def test_a_compiled_derivative_equals_the_eager_one():
    net = tiny_unet(torch.float32, channels=(16,), attention=(True,), attention_head_channels=(16,))
    z, v = torch.randn(2, 2, 4, 8, 8, 8)
    t, r = torch.tensor([0.7, 0.9]), torch.tensor([0.2, 0.0])

    def rate(z, t, r, v):
        return torch.func.jvp(lambda z, t: net(z, t, r), (z, t), (v, torch.ones_like(t)))[1]

    with torch.no_grad():
        compiled = torch.compile(rate, backend="aot_eager")(z, t, r, v)
    assert relative(compiled, exact_jvp(net, z, t, r, v)) < 1e-5


def test_two_stream_refuses_a_compiled_network():
    x, noise, t, r = batch(2, 3)
    with pytest.raises(ValueError, match=r"compiled by torch.compile.*jvp='exact'"):
        MeanFlow(jvp="two-stream").terms(torch.compile(mlp(), backend="eager"), x, noise, t, r)
