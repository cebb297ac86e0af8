"""Published results of R's data sets; under equal means one test in twenty finds a difference, and intervals cover it."""

import math

import numpy as np
import pytest
from scipy import stats

from neuromf.metrics.hypotheses import Untestable, games_howell, paired, welch, welch_anova

# R, data set `sleep` (Student 1908): hours of sleep gained on two drugs by the same ten people
DRUG_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
DRUG_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
# R, data set `PlantGrowth` (Dobson 1983)
PLANTS = [
    [4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14],
    [4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69],
    [6.31, 5.12, 5.54, 5.50, 5.37, 5.29, 4.92, 6.15, 5.80, 5.26],
]
# R, data set `InsectSprays` (Beall 1942)
SPRAYS = [
    [10, 7, 20, 14, 14, 12, 10, 23, 17, 20, 14, 13],
    [11, 17, 21, 11, 16, 14, 17, 17, 19, 21, 7, 13],
    [0, 1, 7, 2, 3, 1, 2, 1, 3, 0, 1, 4],
    [3, 5, 12, 6, 4, 3, 5, 5, 5, 5, 2, 4],
    [3, 5, 3, 5, 3, 6, 1, 1, 3, 2, 6, 4],
    [11, 9, 15, 22, 15, 16, 13, 10, 26, 26, 24, 13],
]
STUDIES = 400  # simulated
FEWER = 150  # of intervals by the studentised range, which take longer


def test_welch_is_rs_on_sleep():
    """R: t.test(extra ~ group, data = sleep)."""
    found = welch(DRUG_1, DRUG_2)
    assert found.statistic == pytest.approx(-1.8608, abs=5e-5)
    assert found.df == pytest.approx(17.776, abs=5e-4)
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    assert found.interval == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)
    assert found.difference == pytest.approx(0.75 - 2.33)


def test_paired_is_rs_on_sleep():
    """R: t.test(Pair(extra.1, extra.2) ~ 1)."""
    found = paired(DRUG_1, DRUG_2)
    assert found.statistic == pytest.approx(-4.0621, abs=5e-5)
    assert found.df == 9
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    assert found.interval == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)


def test_welchs_anova_is_rs():
    """R: oneway.test(weight ~ group, PlantGrowth), oneway.test(count ~ spray, InsectSprays)."""
    plants = welch_anova(PLANTS)
    assert plants == pytest.approx((5.181, 2, 17.128, 0.01739), rel=1e-3)
    assert plants.p == pytest.approx(0.01739, abs=5e-6)
    sprays = welch_anova(SPRAYS)
    assert sprays.statistic == pytest.approx(36.065, abs=5e-4)
    assert (sprays.df_between, sprays.df_within) == pytest.approx((5, 30.043), abs=5e-4)
    assert sprays.p == pytest.approx(7.999e-12, rel=1e-4)
    # its p follows from the F distribution with the degrees of freedom that are returned
    assert stats.f.sf(plants.statistic, plants.df_between, plants.df_within) == pytest.approx(
        plants.p
    )


def test_of_two_arms_welchs_anova_is_welchs_t():
    one, other = welch(DRUG_1, DRUG_2), welch_anova([DRUG_1, DRUG_2])
    assert other.statistic == pytest.approx(one.statistic**2)
    assert other.df_within == pytest.approx(one.df)
    assert other.p == pytest.approx(one.p)


@pytest.mark.parametrize("groups", [PLANTS, SPRAYS[:4]], ids=["plants", "sprays"])
def test_games_howell_is_scipys(groups):
    theirs = stats.tukey_hsd(*groups, equal_var=False)
    for i, j, found in games_howell(groups):
        assert found.p == pytest.approx(theirs.pvalue[i, j], rel=1e-6, abs=1e-10)
        t = welch(groups[i], groups[j])
        assert (found.statistic, found.df) == pytest.approx((t.statistic, t.df))


def test_games_howells_interval_is_that_of_the_published_quantile():
    """Arms of six with one variance have 10 degrees of freedom: 3.877 in the tables of Tukey's q
    for three means (Harter 1960).
    """
    arm = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 1.5])
    for _, _, found in games_howell([arm, arm + 1, arm + 3]):
        reach = 3.877 * math.sqrt(arm.var(ddof=1) / 6)
        assert found.interval.high - found.difference == pytest.approx(reach, rel=1e-4)


def test_games_howell_of_two_arms_is_welchs_t():
    ((_, _, found),) = games_howell([DRUG_1, DRUG_2])
    t = welch(DRUG_1, DRUG_2)
    assert found.p == pytest.approx(t.p)
    assert found.interval == pytest.approx(t.interval)


def test_equal_means_differ_in_one_study_of_twenty_and_intervals_cover():
    """Arms of 5 with standard deviations 1 and 3; pairs share a seed's part, twice as large."""
    chance = np.random.default_rng(0)
    welch_found = paired_found = welch_covers = paired_covers = 0
    for _ in range(STUDIES):
        a, b = chance.normal(0, 1, 5), chance.normal(2, 3, 5)
        seed = chance.normal(0, 2, 5)
        unpaired, by_seed = welch(a, b), paired(a + seed, b + seed)
        welch_covers += unpaired.interval.low < -2 < unpaired.interval.high
        paired_covers += by_seed.interval.low < -2 < by_seed.interval.high
        welch_found += welch(a, b - 2).p < 0.05
        paired_found += paired(a + seed, b + seed - 2).p < 0.05
    low, high = stats.binom.interval(0.95, STUDIES, 0.05)
    assert low <= welch_found <= high
    assert low <= paired_found <= high
    assert min(welch_covers, paired_covers) >= 0.93 * STUDIES


def test_equal_means_of_several_arms_differ_in_one_study_of_twenty():
    chance = np.random.default_rng(1)
    anova = pairs = covered = 0
    for number in range(STUDIES):
        groups = [chance.normal(0, s, 10) for s in (1, 2, 3)]
        anova += welch_anova(groups).p < 0.05
        if number >= FEWER:
            continue
        found = [pair.comparison for pair in games_howell(groups)]
        pairs += min(c.p for c in found) < 0.05
        covered += all(c.interval.low < 0 < c.interval.high for c in found)
    low, high = stats.binom.interval(0.95, STUDIES, 0.05)
    assert low <= anova <= high
    low, high = stats.binom.interval(0.95, FEWER, 0.05)
    assert low <= pairs <= high
    assert covered >= 0.93 * FEWER
    assert covered + pairs == FEWER  # an interval without 0 is a p below 0.05


def test_what_cannot_be_tested():
    with pytest.raises(Untestable, match="1 seed"):
        welch([1.0], [2.0, 3.0])
    with pytest.raises(Untestable, match="one value"):
        welch([1.0, 1.0], [2.0, 2.0])
    with pytest.raises(Untestable, match="1 pair:"):
        paired([1.0], [2.0])
    with pytest.raises(Untestable, match="all equal"):
        paired([0.1, 0.2, 0.3], [1.1, 1.2, 1.3])
    with pytest.raises(Untestable, match="one value"):
        welch_anova([[1.0, 1.0], [2.0, 2.1], [3.0, 3.5]])
    with pytest.raises(Untestable, match="1 arm:"):
        games_howell([[1.0, 2.0]])
    with pytest.raises(ValueError, match="no pairs"):
        paired([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="finite"):
        welch([1.0, math.nan], [2.0, 3.0])
