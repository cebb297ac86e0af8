"""Conditions of each sample go through network, derivative and sampler with their sample."""

import pytest
import torch
from torch import nn

from neuromf.flow import MeanFlow, sample
from neuromf.flow.jvp import finite_jvp
from support import batch, relative


class Conditioned(nn.Module):
    """A network on vectors (B, 3) that takes an age (B,) and a contrast (B, 2)."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.body = nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 3)).double()

    def forward(self, z, t, r, condition=None):
        age, contrast = condition["age"], condition["contrast"]
        rest = torch.cat([(t - r).unsqueeze(1), age.unsqueeze(1), contrast], 1)
        return self.body(torch.cat([z, t.unsqueeze(1), rest], 1))


def conditions(n):
    generator = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    return {"age": draw(n), "contrast": draw(n, 2)}


@pytest.mark.parametrize("way", ["exact", "two-stream", "finite", "none"])
def test_a_batch_is_the_same_as_its_samples_one_by_one(way):
    x, noise, t, r = batch(6, 3)
    if way == "none":
        r = t
    network, condition, objective = Conditioned(), conditions(6), MeanFlow(jvp=way)
    whole = objective.terms(network, x, noise, t, r, condition)
    for i in range(6):
        own = {name: values[i : i + 1] for name, values in condition.items()}
        part = slice(i, i + 1)
        alone = objective.terms(network, x[part], noise[part], t[part], r[part], own)
        torch.testing.assert_close(whole.compound[part], alone.compound)
        torch.testing.assert_close(whole.dudt[part], alone.dudt)


@pytest.mark.parametrize("way", ["exact", "two-stream"])
def test_the_derivative_holds_the_condition_fixed(way):
    x, noise, t, r = batch(4, 3)
    r = 0.5 * t
    network, condition = Conditioned(), conditions(4)
    terms = MeanFlow(predict="u", jvp=way).terms(network, x, noise, t, r, condition)
    expected = finite_jvp(network, terms.z, t, r, terms.tangent, condition, step=1e-5)
    assert relative(terms.dudt, expected) < 1e-8


def test_the_target_can_be_another_velocity():
    """Guidance trains on one that is not noise - x."""
    x, noise, t, r = batch(4, 3)
    network, condition, objective = Conditioned(), conditions(4), MeanFlow()
    usual = objective.terms(network, x, noise, t, r, condition)
    same = objective.terms(network, x, noise, t, r, condition, target=noise - x)
    other = objective.terms(network, x, noise, t, r, condition, target=2 * (noise - x))
    assert torch.equal(same.target, usual.target)
    assert torch.equal(objective.loss(same).total, objective.loss(usual).total)
    torch.testing.assert_close(other.target, 2 * usual.target)
    assert torch.equal(other.compound, usual.compound)  # the boundary tangent knows no target
    with pytest.raises(ValueError, match="target"):
        objective.terms(network, x, noise, t, r, condition, target=x[:2])


@pytest.mark.parametrize("nfe", [1, 3])
def test_samples_follow_their_condition(nfe):
    network, condition = Conditioned(), conditions(5)
    noise = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = sample(network, noise, nfe, predict="x", condition=condition)
    for i in range(5):
        own = {name: values[i : i + 1] for name, values in condition.items()}
        alone = sample(network, noise[i : i + 1], nfe, predict="x", condition=own)
        torch.testing.assert_close(drawn[i : i + 1], alone)
