"""Memorisation: copies are found, new draws are not, the figures have their meaning."""

import pytest
import torch

from neuromf.metrics.memorisation import Memorisation
from neuromf.metrics.precision_recall import nearest


def normal(n, seed):
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))


def judged(samples, held_out, train):
    return Memorisation(nearest(samples, train)[0], nearest(held_out, train)[0])


def test_new_draws_are_not_flagged_more_often_than_people():
    train = normal(300, 0)
    found = judged(normal(2000, 1), normal(2000, 2), train)
    assert float(found.flagged.double().mean()) == pytest.approx(0.05, abs=0.02)
    assert found.nearer == pytest.approx(0.5, abs=0.02)
    assert found.ratio == pytest.approx(1, abs=0.03)


def test_copies_are_flagged():
    train = normal(300, 0)
    copies = train[:100] + 0.01 * normal(100, 3)
    found = judged(torch.cat([copies, normal(100, 1)]), normal(400, 2), train)
    assert found.flagged[:100].all()
    assert float(found.flagged[100:].double().mean()) < 0.15
    assert found.nearer > 0.7
    assert judged(copies, normal(400, 2), train).ratio < 0.05


def test_the_share_that_few_people_flag_by_chance():
    """The quantile of few people is rough: on average more than 5 % of innocent samples lie below it."""
    for m in (5, 20):
        drawn = [
            judged(normal(50, 3 * s), normal(m, 3 * s + 1), normal(200, 3 * s + 2))
            for s in range(150)
        ]
        shares = torch.tensor([float(d.flagged.double().mean()) for d in drawn])
        assert float(shares.mean()) == pytest.approx(
            drawn[0].expected, abs=4 * float(shares.std()) / 150**0.5
        )
        assert drawn[0].expected > 0.08


def test_ties_count_half():
    assert Memorisation(torch.ones(4), torch.ones(5)).nearer == 0.5
    assert Memorisation(torch.zeros(4), torch.ones(5)).nearer == 1
