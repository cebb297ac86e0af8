from neuromf.evaluation.report import safe, sentence, small
from neuromf.evaluation.score import Beside, Score
from neuromf.metrics.intervals import Interval


def test_a_line_says_value_interval_and_bounds():
    score = Score("e/kid", "KID", 0.5, 10, 12, interval=Interval(0.4, 0.6))
    assert sentence("a", score).split() == ["a", "KID", "0.5", "[0.4,", "0.6]"]
    line = sentence("a", score.with_beside(real=Beside(0.1, 0.0, 5, 6)))
    assert line.endswith("at n = 5: real 0.1")


def test_small_p():
    assert [small(p) for p in (0.0, 9e-4, 0.0123, 1.0)] == ["< 0.001", "< 0.001", "0.012", "1.000"]


def test_names_of_files():
    assert safe("a b/c:d") == "a_b_c_d"
