"""The quadrature is scipy's distribution, and its quantiles are those of published tables."""

import pytest
from scipy import stats

from neuromf.metrics.studentized_range import ppf, sf


@pytest.mark.parametrize(("k", "df", "q"), [(3, 4.0, 5.0), (7, 8.0, 2.0), (3, 1.5, 12.0)])
def test_it_is_scipys(k, df, q):
    assert sf(q, k, df) == pytest.approx(stats.studentized_range.sf(q, k, df), rel=1e-6)


@pytest.mark.parametrize(
    ("k", "df", "q"),
    [(3, 2, 8.331), (3, 10, 3.877), (3, 20, 3.578), (5, 12, 4.508), (2, 10, 3.151)],
)
def test_quantiles_are_those_of_the_tables(k, df, q):
    """Upper 5 % points of the studentised range (Harter 1960)."""
    assert ppf(0.95, k, df) == pytest.approx(q, abs=6e-4)


def test_of_two_values_it_is_students_t():
    assert ppf(0.95, 2, 4.7) / 2**0.5 == pytest.approx(stats.t.ppf(0.975, 4.7), rel=1e-8)
    assert sf(3.0, 2, 4.7) == pytest.approx(2 * stats.t.sf(3 / 2**0.5, 4.7), rel=1e-8)


def test_a_quantile_is_the_inverse():
    assert sf(ppf(0.95, 6, 3.3), 6, 3.3) == pytest.approx(0.05, rel=1e-6)
    assert sf(0.0, 4, 5.0) == pytest.approx(1)
