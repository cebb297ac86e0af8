"""A score and what stands beside it."""

from neuromf.evaluation.score import Beside, Score, enough


def test_references_are_added_where_there_are_any():
    score = Score("a/kid", "KID", 0.1, 12, 9).with_beside(real=Beside(1.0, 0.1, 4, 4), samples=None)
    assert list(score.beside) == ["real"]
    assert list(score.with_beside(samples=Beside(1.0, 0.1, 4, 4)).beside) == ["real", "samples"]


def test_few_volumes_support_neither_intervals_nor_p():
    assert enough(5, 100)
    assert not enough(16, 4)
