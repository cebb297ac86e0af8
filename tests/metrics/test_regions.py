"""Sizes of regions: shifts, equal samples, known correlations and overlaps."""

import math

import numpy as np
import pytest
from scipy import stats

from neuromf.metrics.regions import dice, kl_divergence, pearson, wasserstein


def normal(n, seed=0, shift=0.0, scale=1.0):
    return shift + scale * np.random.default_rng(seed).standard_normal(n)


def test_wasserstein_of_a_shift_is_the_shift():
    x = normal(500)
    assert wasserstein(x, x) == 0
    assert wasserstein(x, x + 3.5) == pytest.approx(3.5)
    assert wasserstein(normal(40000), normal(40000, 1, 0.0, 2.0)) == pytest.approx(
        math.sqrt(2 / math.pi), rel=0.03
    )


def test_kl():
    x, y = normal(20000), normal(20000, 1, 1.0)
    assert kl_divergence(x, x) == 0
    assert kl_divergence(x, normal(20000, 2)) < 0.01
    assert kl_divergence(x, y, bins=60) == pytest.approx(0.5, rel=0.1)  # of N(0, 1) from N(1, 1)
    assert math.isfinite(kl_divergence(normal(20), 100 + normal(20)))
    assert kl_divergence(3 * x + 7, 3 * y + 7) == pytest.approx(kl_divergence(x, y), rel=1e-9)


def test_pearson():
    x = normal(200)
    assert pearson(x, 2 * x + 1) == pytest.approx(1)
    y = x + normal(200, 1)
    assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert math.isnan(pearson(x[:2], y[:2]))
    assert math.isnan(pearson(np.ones(9), x[:9]))
    assert pearson(x, y) == pytest.approx(stats.pearsonr(x, y)[0])


def test_dice():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert dice(a, b) == 1
    a[:2], b[1:3] = True, True
    assert dice(a, b) == 0.5
    assert dice(a, a) == 1
