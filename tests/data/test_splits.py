from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromf.data.splits import SplitConfig, split_subjects

COHORTS = st.dictionaries(
    st.text(min_size=1, max_size=6), st.sampled_from(["a/mdd", "a/control", "b/"]), min_size=1, max_size=120
)


@given(COHORTS, st.floats(0, 0.45), st.floats(0, 0.45), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_shares_hold_in_the_cohort_and_in_each_stratum(strata, val, test, seed):
    splits = split_subjects(strata, SplitConfig(val, test, seed))
    assert list(splits) == list(strata)
    counts = Counter(splits.values())
    for name, share in (("val", val), ("test", test)):
        assert abs(counts[name] - share * len(strata)) <= 1.5
        for stratum in set(strata.values()):
            members = [s for s in strata if strata[s] == stratum]
            assert abs(sum(splits[s] == name for s in members) - share * len(members)) <= 2.5


def test_usual_shares():
    strata = {f"s{i:03d}": "ab"[i % 2] for i in range(100)}
    assert Counter(split_subjects(strata).values()) == {"train": 85, "val": 10, "test": 5}


def test_same_seed_same_split_whatever_the_order():
    strata = {f"s{i}": "ab"[i % 3 == 0] for i in range(50)}
    backwards = dict(reversed(strata.items()))
    assert split_subjects(strata) == split_subjects(backwards)
    assert split_subjects(strata) != split_subjects(strata, SplitConfig(seed=1))


@pytest.mark.parametrize(("val", "test"), [(-0.1, 0.1), (0.6, 0.4)])
def test_impossible_shares(val, test):
    with pytest.raises(ValueError, match="below 1 together"):
        SplitConfig(val, test)


def test_a_cohort_that_grows_moves_nobody():
    strata = {f"s{i}": "a" for i in range(400)}
    splits = {}
    for size in (5, 40, 41, 42, 100, 101, 250, 400):
        grown = split_subjects(dict(list(strata.items())[:size]), given=splits)
        assert all(grown[s] == splits[s] for s in splits)
        splits = grown
    counts = Counter(splits.values())
    assert abs(counts["val"] - 40) <= 2
    assert abs(counts["test"] - 20) <= 2
