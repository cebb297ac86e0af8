"""Effect sizes of a textbook's example, without bias, with intervals that cover."""

import math

import numpy as np
import pytest
from scipy import stats

from neuromf.metrics.effects import correction, hedges_g, noncentrality, paired_effect


def normal_quantiles(mean, std, n):
    """Return n values with exactly this mean and standard deviation."""
    x = stats.norm.ppf((np.arange(n) + 0.5) / n)
    return mean + std * x / x.std(ddof=1)


def test_hedges_g_is_the_textbooks():
    """Borenstein et al., Introduction to Meta-Analysis (2009), chapter 4: means 103 and 100,
    standard deviations 5.5 and 4.5, 50 in each group: d = 0.5970, J = 0.9923, g = 0.5924.
    """
    found = hedges_g(normal_quantiles(103, 5.5, 50), normal_quantiles(100, 4.5, 50))
    assert correction(98) == pytest.approx(0.9923, abs=5e-5)
    assert found.value == pytest.approx(0.5924, abs=1e-4)
    # its variance there is 0.0411; the exact interval is that of d to two digits
    assert found.interval == pytest.approx((0.195, 0.996), abs=0.005)


def test_the_paired_effect_of_sleep():
    """Differences of R's `sleep`: mean 1.58, standard deviation 1.22996; d_z = 1.2846."""
    d = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    assert paired_effect(d).value == pytest.approx(1.2846 * correction(9), abs=1e-4)
    # Hedges' usual approximation of the correction
    assert correction(9) == pytest.approx(1 - 3 / (4 * 9 - 1), abs=1e-3)


def test_ends_of_an_interval_have_the_tails_that_they_say():
    low, high = noncentrality(2.5, 8)
    assert stats.nct.sf(2.5, 8, low) == pytest.approx(0.025)
    assert stats.nct.cdf(2.5, 8, high) == pytest.approx(0.025)
    # a t that is just significant has an interval that begins at 0
    assert noncentrality(stats.t.ppf(0.975, 8), 8).low == pytest.approx(0, abs=1e-6)
    assert noncentrality(-2.5, 8) == pytest.approx((-high, -low))


def test_effects_are_unbiased_and_their_intervals_cover():
    chance, studies, truth = np.random.default_rng(0), 400, 1.2
    g, z, covered_g, covered_z = [], [], 0, 0
    for _ in range(studies):
        one = hedges_g(chance.normal(truth, 1, 4), chance.normal(0, 1, 4))
        other = paired_effect(chance.normal(truth, 1, 6))
        g.append(one.value)
        z.append(other.value)
        covered_g += one.interval.low < truth < one.interval.high
        covered_z += other.interval.low < truth < other.interval.high
    for values in (g, z):
        assert np.mean(values) == pytest.approx(truth, abs=3 * np.std(values) / studies**0.5)
    assert min(covered_g, covered_z) >= 0.93 * studies


def test_what_has_no_effect_size():
    assert math.isnan(hedges_g([1.0], [2.0, 3.0]).value)
    assert math.isnan(hedges_g([1.0, 1.0], [2.0, 2.0]).value)
    assert math.isnan(paired_effect([1.0, 2.0]).value)
    assert paired_effect([1.0, 2.0]).interval == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="finite"):
        hedges_g([1.0, math.inf], [2.0, 3.0])
