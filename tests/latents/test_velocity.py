"""The velocity on held-out latents: the linear filter is 1, the truth of other data is worse, chance plays no part."""

import pytest
import torch

from neuromf.flow.gaussian import GaussianFlow
from neuromf.latents import velocity
from neuromf.latents.velocity import HeldOutVelocity
from neuromf.metrics.velocity import mean_ratio

SHAPE = (2, 8, 8, 8)
FACTOR = 0.5


def latents(n=12, seed=0, std=1.0):
    return std * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def filter_of(gaussian):
    """The Wiener filter of latents times `latent_scale`."""
    flow = gaussian.scaled(FACTOR)
    return lambda z, t: flow(z, t, t)


@pytest.fixture(scope="module")
def gaussian():
    return GaussianFlow.fit(list(latents(200, seed=1)))


def losses(held_out, gaussian, batch=4):
    return held_out.losses(filter_of(gaussian), batch, "cpu")


def test_the_linear_filter_itself_is_1(gaussian):
    held_out = HeldOutVelocity(latents(), gaussian, FACTOR, 0)
    assert losses(held_out, gaussian) == pytest.approx(held_out.linear, rel=1e-5)
    assert mean_ratio(losses(held_out, gaussian), held_out.linear) == pytest.approx(1, rel=1e-5)


def test_a_filter_of_other_data_is_worse(gaussian):
    other = GaussianFlow.fit(list(latents(200, seed=1, std=3.0)))
    held_out = HeldOutVelocity(latents(), gaussian, FACTOR, 0)
    assert mean_ratio(losses(held_out, other), held_out.linear) > 1.1


def test_noise_depends_on_seed_and_latent_alone(gaussian):
    few, many = (HeldOutVelocity(latents()[:n], gaussian, FACTOR, 0) for n in (3, 12))
    assert torch.equal(few.noise, many.noise[:3])
    assert not torch.equal(many.noise[0], many.noise[1])
    assert losses(many, gaussian, 1) == pytest.approx(losses(many, gaussian, 5), rel=1e-6)
    assert not torch.equal(many.noise, HeldOutVelocity(latents(), gaussian, FACTOR, 1).noise)


def test_no_more_than_the_first_64_are_looked_at(monkeypatch, gaussian):
    monkeypatch.setattr(velocity, "MOST", 5)
    assert len(HeldOutVelocity(latents(), gaussian, FACTOR, 0).x) == 5
