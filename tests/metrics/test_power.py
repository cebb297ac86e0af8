"""R's and Cohen's examples of power, and what permutations of few values can reach."""

import itertools
import math

import numpy as np
import pytest

from neuromf.metrics.hypotheses import welch
from neuromf.metrics.power import (
    detectable,
    detectable_by_pairs,
    power,
    power_of_pairs,
    smallest_p,
    smallest_p_of_pairs,
)


def test_power_is_rs_and_cohens():
    """R: power.t.test(n = 20, delta = 1, sd = 1), which leaves out the far tail, 2e-7.
    Cohen (1988), table 2.4.1: d = 0.5 takes 64 in each group for 0.80. G*Power: d_z = 0.5 takes 34.
    """
    assert power(1.0, 20, 20) == pytest.approx(0.8689528, abs=5e-7)
    assert power(0.5, 63, 63) < 0.8 < power(0.5, 64, 64)
    assert power_of_pairs(0.5, 33) < 0.8 < power_of_pairs(0.5, 34)


def test_what_is_detectable_is_detected_in_four_studies_of_five():
    assert power(detectable(3, 4), 3, 4) == pytest.approx(0.8, abs=1e-6)
    assert power_of_pairs(detectable_by_pairs(3), 3) == pytest.approx(0.8, abs=1e-6)
    chance, apart = np.random.default_rng(0), detectable(5, 5)
    found = sum(
        welch(chance.normal(apart, 1, 5), chance.normal(0, 1, 5)).p < 0.05 for _ in range(500)
    )
    assert found / 500 == pytest.approx(0.8, abs=0.05)  # Welch's has a little less
    assert detectable(1, 5) == detectable_by_pairs(1) == math.inf


def test_the_smallest_p_is_that_of_all_permutations():
    values = np.array([1.0, 2.0, 4.0, 9.0, 12.0, 15.0])
    sums = [
        abs(2 * values[list(c)].sum() - values.sum()) for c in itertools.combinations(range(6), 3)
    ]
    assert smallest_p(3, 3) == pytest.approx(np.mean(np.isclose(sums, max(sums))))
    signs = [abs(sum(s)) for s in itertools.product((-1, 1), repeat=3)]
    assert smallest_p_of_pairs(3) == sum(s == 3 for s in signs) / 8 == 0.25
    assert smallest_p_of_pairs(1) == smallest_p(1, 1) == 1
