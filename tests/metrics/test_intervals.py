"""Intervals cover what they should; the bootstrap's spread is the known one; p values are uniform under equality."""

from statistics import NormalDist

import pytest
import torch
from scipy import stats

from neuromf.metrics.intervals import (
    LEVEL,
    around,
    counts,
    holm,
    of_mean,
    of_share,
    p_of_difference,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_counts_are_bootstrap_samples():
    found = counts(20, 5000, generator())
    assert found.shape == (5000, 20)
    assert (found.sum(1) == 20).all()
    assert float(found.mean()) == 1
    assert float(found.var()) == pytest.approx(1 - 1 / 20, rel=0.02)  # binomial
    assert torch.equal(found, counts(20, 5000, generator()))


def test_bootstrap_spread_of_a_mean_is_the_standard_error():
    x = torch.randn(200, generator=generator(), dtype=torch.float64)
    replicates = counts(200, 4000, generator(1)) @ x / 200
    assert float(replicates.std()) == pytest.approx(float(x.std()) / 200**0.5, rel=0.05)
    low, high = around(float(x.mean()), replicates)
    assert (low + high) / 2 == pytest.approx(float(x.mean()))
    assert around(0.1, replicates, lowest=0.05).low == 0.05
    assert around(0.9, replicates, highest=0.95).high == 0.95


def test_intervals_cover_the_truth_as_often_as_they_say():
    chance = generator(2)
    means, boots = 0, 0
    for _ in range(400):
        x = 3 + torch.randn(30, generator=chance, dtype=torch.float64)
        low, high = of_mean(x)
        means += low < 3 < high
        low, high = around(float(x.mean()), counts(30, 200, chance) @ x / 30)
        boots += low < 3 < high
    assert means / 400 == pytest.approx(LEVEL, abs=0.03)
    assert boots / 400 == pytest.approx(LEVEL, abs=0.05)


def test_wilson():
    low, high = of_share(0, 100)
    assert low == 0
    assert 0.03 < high < 0.04  # none of 100 does not mean never
    for hits, n in ((3, 20), (50, 100), (20, 20)):
        expected = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert of_share(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_p_of_differences():
    a = torch.randn(4000, generator=generator(3), dtype=torch.float64)
    b = torch.randn(4000, generator=generator(4), dtype=torch.float64)
    apart = float((a - b).std())
    assert p_of_difference(apart * 1.96, 0.0, a, b, 10**6) == pytest.approx(0.05, abs=0.001)
    assert p_of_difference(0.0, apart, a, b, 10**6) == pytest.approx(
        2 * (1 - NormalDist().cdf(1)), abs=1e-5
    )
    assert p_of_difference(2.776 * apart, 0.0, a, b, 5) == pytest.approx(
        0.05, abs=1e-3
    )  # Student's t of 4
    assert p_of_difference(1.0, 1.0, a, a, 9) == 1
    assert p_of_difference(1.0, 1.1, a, a, 9) == 0  # the shared part cancels
    few, many = (p_of_difference(9.0, 0.0, a, b, n) for n in (4, 400))
    assert few > 100 * many


def test_p_is_uniform_where_nothing_differs():
    """Means of two sets of 15, resampled: p below 0.05 in about one of twenty."""
    chance = generator(5)
    found = []
    for _ in range(400):
        x, y = (torch.randn(15, generator=chance, dtype=torch.float64) for _ in range(2))
        wx, wy = counts(15, 200, chance), counts(15, 200, chance)
        found.append(
            p_of_difference(float(x.mean()), float(y.mean()), wx @ x / 15, wy @ y / 15, 15)
        )
    assert sum(p < 0.05 for p in found) / 400 == pytest.approx(0.05, abs=0.025)


def test_holm():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []
