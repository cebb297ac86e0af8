"""The velocity on held-out latents: the linear filter is 1, the truth of other data is worse, chance plays no part."""

import pytest
import torch
from torch import nn

from neuromf.flow import MeanFlow
from neuromf.flow.gaussian import GaussianFlow
from neuromf.training import velocity
from neuromf.training.velocity import HeldOutVelocity
from training.support import tiny_config

SHAPE = (2, 8, 8, 8)
FACTOR = 0.5


def latents(n=12, seed=0, std=1.0):
    return std * torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


class Filter(nn.Module):
    """A network that is a Gaussian's flow, for latents times `latent_scale`."""

    def __init__(self, gaussian):
        super().__init__()
        self.flow = gaussian.scaled(FACTOR)

    def forward(self, z, t, r):
        return self.flow(z, t, r)


def config(**changes):
    return tiny_config("x", objective=MeanFlow(predict="u"), latent_scale=FACTOR, **changes)


def test_the_linear_filter_itself_is_1():
    gaussian = GaussianFlow.fit(list(latents(40, seed=1)))
    held_out = HeldOutVelocity(config(), latents(), gaussian)
    row = held_out.row(Filter(gaussian), torch.device("cpu"))
    assert row["v_linear"] == pytest.approx(1, rel=1e-5)
    assert [row[f"v_{t:g}"] for t in held_out.linear] == pytest.approx(
        list(held_out.linear.values()), rel=1e-5
    )


def test_a_filter_of_other_data_is_worse():
    gaussian = GaussianFlow.fit(list(latents(200, seed=1)))
    other = GaussianFlow.fit(list(latents(200, seed=1, std=3.0)))
    found = HeldOutVelocity(config(), latents(), gaussian).row(Filter(other), torch.device("cpu"))
    assert found["v_linear"] > 1.1


def test_noise_depends_on_neither_batch_nor_number():
    gaussian = GaussianFlow.fit(list(latents(40, seed=1)))
    rows = [
        HeldOutVelocity(config(batch=batch), latents(), gaussian).row(
            Filter(gaussian), torch.device("cpu")
        )
        for batch in (1, 5)
    ]
    assert rows[0] == pytest.approx(rows[1], rel=1e-6)
    few = HeldOutVelocity(config(), latents()[:3], gaussian)
    many = HeldOutVelocity(config(), latents(), gaussian)
    assert torch.equal(few.noise, many.noise[:3])
    assert not torch.equal(many.noise[0], many.noise[1])


def test_no_more_than_the_first_64_are_looked_at(monkeypatch):
    monkeypatch.setattr(velocity, "MOST", 5)
    assert len(HeldOutVelocity(config(), latents(), GaussianFlow.empty(SHAPE)).x) == 5
