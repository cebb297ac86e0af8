"""Nothing on the front is beaten, and everything off it is."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromf.metrics.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


def test_a_front_by_hand():
    # FID smaller, SSIM larger
    points = [(10, 0.7), (12, 0.8), (11, 0.7), (9, 0.6), (12, 0.8), (20, 0.5)]
    assert pareto_front(points, (True, False)) == [0, 1, 3, 4]
    assert pareto_front(points[:1], (True, False)) == [0]


@settings(deadline=None, max_examples=50)
@given(POINTS)
def test_nothing_on_the_front_is_beaten_and_everything_off_it_is(points):
    front = pareto_front(points, (True, True))
    assert front

    def beats(a, b):
        return a[0] <= b[0] and a[1] <= b[1] and a != b

    for i, j in itertools.product(front, range(len(points))):
        assert not beats(points[j], points[i])
    for i in set(range(len(points))) - set(front):
        assert any(beats(points[j], points[i]) for j in front)


def test_refusals():
    with pytest.raises(ValueError, match="2 numbers"):
        pareto_front([(1.0,)], (True, True))
    with pytest.raises(ValueError, match="NaN"):
        pareto_front([(1.0, float("nan"))], (True, True))
