from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromf.data.splits import SplitConfig, spellings, split_subjects

COHORTS = st.dictionaries(
    st.text(min_size=1, max_size=6),
    st.sampled_from(["a/mdd", "a/control", "b/"]),
    min_size=1,
    max_size=120,
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


@pytest.mark.parametrize(
    ("val", "test"),
    [(-0.1, 0.1), (0.6, 0.4), (float("nan"), 0.1), (0.1, float("nan")), (0.1, -0.1)],
)
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


def test_spellings_of_one_name_are_one_person():
    strata = {f"sub-{i:02d}": "a" for i in range(40)}
    spelled = {f"{word}-{i:02d}": "a" for i in range(40) for word in ("Sub", "sub", "SUB")}
    splits = split_subjects(spelled, SplitConfig(0.3, 0.2))
    for i in range(40):
        assert splits[f"Sub-{i:02d}"] == splits[f"sub-{i:02d}"] == splits[f"SUB-{i:02d}"]
    assert (
        Counter(splits.values())["val"]
        == 3 * Counter(split_subjects(strata, SplitConfig(0.3, 0.2)).values())["val"]
    )
    assert spellings(["sub-1", "SUB-1", "x", "fu\u0308r", "f\u00fcr"]) == [
        ["SUB-1", "sub-1"],
        ["fu\u0308r", "f\u00fcr"],
    ]


def test_what_was_trained_on_is_not_held_out():
    """An earlier version dealt the spellings of one person into two splits."""
    splits = split_subjects({"a": "", "A": ""}, given={"A": "val", "a": "train"})
    assert splits == {"a": "train", "A": "train"}
