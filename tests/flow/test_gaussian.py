import math

import pytest
import torch

from neuromf.flow import MeanFlow, sample
from neuromf.flow.gaussian import GaussianFlow
from neuromf.flow.jvp import WAYS, exact_jvp
from support import relative

SHAPE = (2, 6, 4, 5)


@pytest.fixture(scope="module")
def flow():
    return GaussianFlow.fit(correlated(3000)).double()


def correlated(n, seed=0):
    """Latents with a mean image, correlated channels, and more power in long waves."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(n, *SHAPE, generator=generator, dtype=torch.float64)
    smooth = white + 0.6 * white.roll(1, -1) + 0.2 * white.roll(1, -2) + 0.1 * white.roll(1, -3)
    mixed = torch.einsum("ij,bjdhw->bidhw", torch.tensor([[1.0, 0.5], [0.0, 0.7]]).double(), smooth)
    image = torch.randn(SHAPE, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return image + 0.3 * mixed


def point(n=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, *SHAPE, generator=generator, dtype=torch.float64)


def times(*values):
    return torch.tensor(values).double()


def test_it_satisfies_the_meanflow_identity(flow):
    z, t, r = point(), times(0.9, 0.5, 1.0), times(0.2, 0.0, 0.999)
    v = flow(z, t, t)
    slope = exact_jvp(flow, z, t, r, v)
    u = flow(z, t, r)
    assert relative(u + (t - r).view(-1, 1, 1, 1, 1) * slope, v) < 1e-6  # statistics are float32


def test_steps_compose_and_one_step_equals_many(flow):
    z = point()
    once = sample(flow, z, 1)
    assert relative(sample(flow, z, 7), once) < 1e-6
    assert relative(flow.sample(z), once) < 1e-6


def test_one_call_has_the_mean_the_variance_and_the_spectrum_of_the_data(flow):
    drawn = flow.sample(point(4000, seed=3))
    data = correlated(4000, seed=5)
    assert (drawn.mean(0) - data.mean(0)).abs().max() < 0.06
    power = [
        torch.fft.rfftn(x - x.mean(0), dim=(-3, -2, -1)).abs().square().mean((0, 1))
        for x in (drawn, data)
    ]
    assert (power[0] / power[1] - 1).abs().max() < 0.25
    together = [
        torch.einsum("bidhw,bjdhw->ij", x - x.mean(0), x - x.mean(0)) for x in (drawn, data)
    ]
    assert relative(together[0], together[1]) < 0.05


def test_at_equal_times_it_is_the_best_linear_estimate(flow):
    """No other linear filter of the same form has a smaller error in v: its gradient is 0 there."""
    x, noise = correlated(4000, seed=7), point(4000, seed=8)
    t = torch.full((4000,), 0.4, dtype=torch.float64)
    z = 0.6 * x + 0.4 * noise

    def error(factor):
        changed = GaussianFlow(flow.mean, flow.rotation, factor * flow.amplitude)
        return float((changed(z, t, t) - (noise - x)).square().mean())

    assert error(1.0) < min(error(0.8), error(1.25))
    expected = conditional_variance(flow, 0.4)
    assert math.isclose(error(1.0), expected, rel_tol=0.03)


def conditional_variance(flow, t):
    """Mean variance of noise - x given z_t, of the model itself: P / ((1 - t)² P + t²) a wave."""
    power = flow.amplitude.double().square()
    each = power / ((1 - t) ** 2 * power + t * t)
    doubled = torch.full((SHAPE[-1] // 2 + 1,), 2.0).double()
    doubled[0] = 1.0  # the plane k = 0 has no conjugate beside it; here W is odd
    return float((each * doubled).sum() / torch.tensor(SHAPE).prod())


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_the_derivative_agrees(flow, way):
    z, t, r = point(), times(0.9, 0.5, 0.3), times(0.2, 0.0, 0.3)
    v, samples = flow(z, t, t), torch.tensor([0, 1])
    found = WAYS[way](flow, z, t, r, samples, v[:2])[2]
    expected = exact_jvp(flow, z[:2], t[:2], r[:2], v[:2])
    assert relative(found, expected) < (1e-4 if way == "finite" else 1e-12)


def test_the_objective_of_the_exact_field_is_its_variance_for_every_interval(flow):
    x, noise = correlated(2000, seed=11), point(2000, seed=12)
    t = torch.full((2000,), 0.6, dtype=torch.float64)
    objective = MeanFlow(predict="u", weight_power=0)
    flat, apart = (
        float(objective.loss(objective.terms(flow, x, noise, t, r)).raw) / SHAPE[0]
        for r in (t, 0 * t)
    )
    assert math.isclose(flat, conditional_variance(flow, 0.6), rel_tol=0.03)
    assert math.isclose(apart, flat, rel_tol=1e-5)


def test_half_precision_is_left_to_the_network(flow):
    z = point().float()
    exact = flow.float()(z, *[times(0.5, 0.6, 0.7).float()] * 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(flow(z, *[times(0.5, 0.6, 0.7).float()] * 2), exact)


def test_one_latent_is_refused():
    with pytest.raises(ValueError, match="1 latents: a spectrum needs two"):
        GaussianFlow.fit([torch.zeros(SHAPE)])


def test_scaling_the_data_scales_the_samples(flow):
    z = point()
    assert relative(flow.scaled(0.3).sample(z), 0.3 * flow.sample(z)) < 1e-6
