import pytest
import torch

from neuromf.flow import MeanFlow, sample
from neuromf.flow.gaussian import GaussianFlow
from neuromf.flow.trajectory import draw_secants, regression_terms, secants, trajectory
from support import relative, tiny_unet

SHAPE = (2, 4, 4, 5)


def noise(n=3, seed=0, shape=SHAPE):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, *shape, generator=generator, dtype=torch.float64)


@pytest.fixture(scope="module")
def flow():
    return GaussianFlow.fit(0.5 * noise(60, 4) + 1).double()


def test_it_begins_with_the_noise_and_ends_with_the_sample(flow):
    points = trajectory(flow, noise(), 8)
    assert points.shape == (9, 3, *SHAPE)
    assert torch.equal(points[0], noise())
    assert relative(points[-1], sample(flow, noise(), 8)) < 1e-12


def test_a_secant_is_the_average_velocity(flow):
    """Of an exact flow, at every pair of points."""
    points = trajectory(flow, noise(), 6)
    first, last = torch.tensor([0, 2, 5]), torch.tensor([6, 3, 6])
    z, t, r, target = secants(points, first, last)
    assert z.shape == (9, *SHAPE)
    assert torch.allclose(t.double(), (1 - first.double() / 6).repeat_interleave(3))
    assert relative(flow(z, t, r), target) < 1e-6


def test_half_of_the_secants_reach_the_data_and_a_third_of_those_leave_the_noise():
    generator = torch.Generator().manual_seed(0)
    first, last = (
        torch.cat(x)
        for x in zip(*[draw_secants(8, 16, generator) for _ in range(500)], strict=True)
    )
    assert bool((first < last).all())
    assert int(first.min()) == 0
    assert int(last.max()) == 16
    own = torch.arange(len(first)) % 2 == 0
    assert bool((last[own] == 16).all())
    assert abs(float((first[own] == 0).double().mean()) - (1 / 3 + 2 / 3 / 16)) < 0.03
    assert len(set(first.tolist())) == 16  # every point is left


def test_they_depend_on_the_generator_alone():
    pairs = [draw_secants(8, 16, torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(pairs[0][0], pairs[1][0])
    assert torch.equal(pairs[0][1], pairs[1][1])


def test_the_loss_is_the_squared_error_and_its_gradient_that_of_plain_regression():
    net, shape = tiny_unet(), (4, 8, 8, 8)
    z, target = noise(2, 1, shape), noise(2, 2, shape)
    t, r = torch.tensor([1.0, 0.5]).double(), torch.tensor([0.0, 0.25]).double()
    objective = MeanFlow(predict="u", weight_power=0)
    loss = objective.loss(regression_terms(objective, net, z, t, r, target))
    expected = (net(z, t, r) - target).square().mean((2, 3, 4)).sum(1).mean()
    assert relative(loss.total, expected) < 1e-12
    grads = [
        torch.autograd.grad(v, list(net.parameters()), allow_unused=True)
        for v in (loss.total, expected)
    ]
    for a, b in zip(*grads, strict=True):
        assert a is None or torch.allclose(a, b)


def test_x_prediction_is_read_as_a_velocity():
    net, shape = tiny_unet(), (4, 8, 8, 8)
    z, t, r = (
        noise(2, 1, shape),
        torch.tensor([1.0, 0.5]).double(),
        torch.tensor([0.0, 0.25]).double(),
    )
    terms = regression_terms(MeanFlow(predict="x"), net, z, t, r, z)
    assert relative(terms.u, (z - net(z, t, r)) / t.view(-1, 1, 1, 1, 1)) < 1e-12


def test_a_trajectory_that_is_not_finite_is_left_out():
    net, shape = tiny_unet(), (4, 8, 8, 8)
    z, target = noise(2, 1, shape), noise(2, 2, shape)
    target[1, 0, 0, 0, 0] = torch.inf
    t, r = torch.tensor([1.0, 0.5]).double(), torch.tensor([0.0, 0.25]).double()
    objective = MeanFlow(predict="u")
    loss = objective.loss(regression_terms(objective, net, z, t, r, target))
    assert int(loss.nonfinite) == 1
    assert bool(torch.isfinite(loss.total))


def test_a_target_of_another_shape_is_refused():
    net, z = tiny_unet(), noise(2, 1, (4, 8, 8, 8))
    t, r = torch.tensor([1.0, 0.5]).double(), torch.tensor([0.0, 0.25]).double()
    with pytest.raises(ValueError, match="they must be equal"):
        regression_terms(MeanFlow(predict="u"), net, z, t, r, z[:1])
