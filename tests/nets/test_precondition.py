import pytest
import torch

from neuromf.flow import MeanFlow, sample
from neuromf.flow.gaussian import GaussianFlow
from neuromf.flow.jvp import WAYS, exact_jvp, finite_jvp
from neuromf.nets.config import Precondition
from neuromf.nets.precondition import Preconditioned, Skip, preconditioned
from support import gradients, relative, tiny_unet

SCALE = 0.3
SHAPE = (4, 8, 8, 8)


def point(n=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, *SHAPE, generator=generator, dtype=torch.float64)


def made(kind, **changes):
    network = preconditioned(tiny_unet(**changes), Precondition(kind), SCALE, SHAPE).double()
    if kind == "gaussian":
        network.base = GaussianFlow.fit(0.3 * point(40, seed=4) + 0.1).double()
    return network


class Silent(torch.nn.Module):
    def forward(self, z, t, r):
        return torch.zeros_like(z)


@pytest.mark.parametrize("kind", ["skip", "gaussian"])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_the_derivative_agrees(kind, way):
    net = made(kind)
    z, t, r = (
        point(),
        torch.tensor([0.9, 0.1, 1e-2]).double(),
        torch.tensor([0.2, 0.0, 0.0]).double(),
    )
    tangent = net(z, t, t).detach()
    exact = exact_jvp(net, z, t, r, tangent)
    assert relative(exact, finite_jvp(net, z, t, r, tangent, step=1e-5)) < 1e-6
    found = WAYS[way](net, z, t, r, torch.arange(3), tangent)[2]
    assert relative(found, exact) < (0.02 if way == "finite" else 1e-10)


@pytest.mark.parametrize("kind", ["skip", "gaussian"])
def test_a_clean_latent_is_copied_whatever_the_network_says(kind):
    net, z = made(kind), 0.3 * point()
    errors = []
    for t in (1e-3, 1e-4):
        time = torch.full((3,), t, dtype=torch.float64)
        estimate = z - t * net(z, time, 0 * time)
        errors.append(relative(estimate.detach(), z))
    assert errors[0] < 0.02
    assert 8 < errors[0] / errors[1] < 12  # of first order in t


def test_one_call_with_the_skip_is_the_network_alone():
    net, noise = made("skip"), point()
    one, zero = torch.ones(3).double(), torch.zeros(3).double()
    assert relative(sample(net, noise, 1), SCALE * net.network(noise, one, zero)) < 1e-12


def test_one_call_with_the_gaussian_begins_with_its_sample():
    net, noise = made("gaussian"), point()
    silent = Preconditioned(Silent(), net.base, SCALE)
    assert relative(sample(silent, noise, 1), net.base.sample(noise)) < 1e-6


@pytest.mark.parametrize("kind", ["skip", "gaussian"])
def test_inputs_and_targets_of_the_network_have_unit_variance(kind):
    """For Gaussian data of the scale, at every time: that is what c_in and c_out are for."""
    x, noise = SCALE * point(400, seed=5), point(400, seed=6)
    net = Preconditioned(Silent(), Skip(SCALE), SCALE)
    for t in (0.02, 0.3, 0.8, 1.0):
        time = torch.full((400,), t, dtype=torch.float64)
        z = (1 - t) * x + t * noise
        inner, c_out = net._scales(z, time)
        assert abs(float(inner.std()) - 1) < 0.01
        left = (net.base(z, time, time) - (noise - x)) / c_out
        assert abs(float(left.std()) - 1) < 0.01


@pytest.mark.parametrize("width", [0.25, 1.0, 2.0])
def test_another_width_of_the_skip_leaves_targets_of_unit_variance(width):
    x, noise = SCALE * point(400, seed=5), point(400, seed=6)
    net = preconditioned(Silent(), Precondition("skip", width), SCALE, SHAPE)
    for t in (0.02, 0.3, 0.8, 1.0):
        time = torch.full((400,), t, dtype=torch.float64)
        z = (1 - t) * x + t * noise
        left = (net.base(z, time, time) - (noise - x)) / net._scales(z, time)[1]
        assert abs(float(left.std()) - 1) < 0.01


def test_a_head_speaks_of_the_velocity_at_equal_times():
    net = made("skip", v_head_blocks=1)
    z, t, r = point(), torch.full((3,), 0.6).double(), torch.full((3,), 0.2).double()
    u, v = net(z, t, r)
    assert torch.equal(net.without_head(z, t, r), u)
    inner, c_out = net._scales(z, t)
    assert relative(v, net.base(z, t, t) - c_out * net.network(inner, t, r)[1]) < 1e-12


@pytest.mark.parametrize("kind", ["skip", "gaussian"])
def test_two_stream_and_exact_give_the_same_gradient(kind):
    net = made(kind)
    x, noise = 0.3 * point(seed=2), point(seed=3)
    t, r = torch.tensor([0.9, 0.5, 0.3]).double(), torch.tensor([0.2, 0.5, 0.0]).double()
    found = []
    for way in ("exact", "two-stream"):
        objective = MeanFlow(predict="u", jvp=way)
        net.zero_grad()
        objective.loss(objective.terms(net, x, noise, t, r)).total.backward()
        found.append(gradients(net))
    assert relative(found[1], found[0]) < 1e-9


def test_an_exponential_step_follows_the_part_in_closed_form_exactly():
    noise, net = point(), made("gaussian")
    silent = Preconditioned(Silent(), net.base, SCALE)
    one, many = (sample(silent, noise, n, solver="exponential") for n in (1, 9))
    assert relative(one, many) < 1e-6
    assert relative(sample(silent, noise, 1, solver="euler"), many) > 0.1


def test_exponential_and_euler_steps_have_one_limit_and_the_first_are_nearer():
    noise, net = point(), made("gaussian")
    limit = sample(net, noise, 60, solver="exponential")
    errors = {
        solver: relative(sample(net, noise, 6, solver=solver), limit)
        for solver in ("exponential", "euler")
    }
    assert errors["exponential"] < 0.5 * errors["euler"]
    assert relative(sample(net, noise, 60, solver="euler"), limit) < 0.2 * errors["euler"]


def test_at_equal_times_an_exponential_step_is_the_velocity():
    net, z, t = made("gaussian"), point(), torch.full((3,), 0.7).double()
    assert relative(net.exponential(z, t, t), net(z, t, t)) < 1e-12


def test_a_network_without_a_closed_form_has_no_exponential_step():
    with pytest.raises(TypeError, match="take 'euler'"):
        sample(Silent(), point(), 2, solver="exponential")


def test_without_a_precondition_the_network_is_itself():
    network = Silent()
    assert preconditioned(network, Precondition(), SCALE, SHAPE) is network


@pytest.mark.parametrize("settings", [{"kind": "edm"}, {"width": 0.0}, {"width": float("inf")}])
def test_what_is_not_understood_is_refused(settings):
    with pytest.raises(ValueError, match="is"):
        Precondition(**settings)
