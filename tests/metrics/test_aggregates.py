"""rliable's definitions, and intervals that cover where there are enough seeds."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from neuromf.metrics.aggregates import (
    interquartile_mean,
    interval_of_improvement,
    interval_of_iqm,
    probability_of_improvement,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_interquartile_mean_is_the_mean_of_the_middle_half():
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -50]) == (2 + 3 + 4 + 5) / 4
    assert interquartile_mean([1.0, 2.0, 9.0]) == 4  # a quarter of three is none
    assert interquartile_mean([7.0]) == 7
    x = np.random.default_rng(0).normal(size=13)
    assert interquartile_mean(x) == stats.trim_mean(x, 0.25)  # as rliable computes it


def test_the_probability_of_improvement_is_mann_whitneys():
    a, b = [3.0, 5.0, 2.0], [2.0, 4.0, 1.0, 2.0]
    u = stats.mannwhitneyu(a, b, alternative="greater").statistic  # as rliable computes it
    assert probability_of_improvement(a, b) == pytest.approx(u / 12)
    assert probability_of_improvement(a, b) + probability_of_improvement(b, a) == pytest.approx(1)
    assert probability_of_improvement([2.0, 3.0], [0.0, 1.0]) == 1
    assert probability_of_improvement([1.0], [1.0]) == 0.5


def test_intervals_are_repeatable_and_of_each_arm():
    a, b = [1.0, 2.0, 3.0, 4.0, 9.0], [0.5, 2.5, 2.0, 1.0]
    assert interval_of_iqm(a, generator()) == interval_of_iqm(a, generator())
    low, high = interval_of_iqm(a, generator())
    assert 1 <= low < interquartile_mean(a) < high <= 9
    low, high = interval_of_improvement(a, b, generator())
    assert 0 <= low < probability_of_improvement(a, b) < high <= 1
    assert interval_of_improvement([5.0, 6.0], [1.0, 2.0], generator()) == (1, 1)


def test_intervals_cover_with_twenty_seeds():
    chance, studies = np.random.default_rng(0), 200
    truth = stats.norm.cdf(0.5 / math.sqrt(2))
    iqm = improvement = 0
    for number in range(studies):
        a, b = chance.normal(0.5, 1, 20), chance.normal(0, 1, 20)
        low, high = interval_of_iqm(a, generator(number), 500)
        iqm += low < 0.5 < high
        low, high = interval_of_improvement(a, b, generator(number), 500)
        improvement += low < truth < high
    assert min(iqm, improvement) >= 0.90 * studies


def test_what_has_none():
    with pytest.raises(ValueError, match="no values"):
        interquartile_mean([])
    with pytest.raises(ValueError, match="0 and 1"):
        probability_of_improvement([], [1.0])
    with pytest.raises(ValueError, match="finite"):
        interquartile_mean([1.0, math.nan])
