"""One metric: value, replicates and interval come of one function."""

from dataclasses import dataclass, field

import pytest
import torch

from neuromf.evaluation.metric import Bootstrap, Metric, draw_bootstrap, from_zero, weighted_mean
from neuromf.evaluation.score import Beside


@dataclass(eq=False)
class Numbers:
    """One number a volume."""

    values: torch.Tensor
    bootstrap: Bootstrap | None = None
    references: dict = field(default_factory=dict)
    words: dict = field(default_factory=lambda: {"what": "toy"})
    prefix: str = "numbers"
    reference: int = 9

    @property
    def n(self):
        return len(self.values)


def mean(c, bootstrap):
    return weighted_mean(c.values, None if bootstrap is None else bootstrap.a)


MEAN = Metric(Numbers, "mean", "{what} mean", "lower", mean, unit="ml", interval=from_zero)


def test_replicates_are_the_same_function_of_drawn_volumes():
    values = torch.rand(8, dtype=torch.float64)
    bootstrap = draw_bootstrap(8, 9, 30, 0, 1)
    found = MEAN.score(Numbers(values, bootstrap))
    assert found.value == float(values.mean())
    for replicate, counts in zip(found.replicates, bootstrap.a.long(), strict=True):
        assert replicate == pytest.approx(float(values.repeat_interleave(counts).mean()))
    assert found.interval.low < found.value < found.interval.high
    assert (found.key, found.label, found.unit) == ("numbers/mean", "toy mean, ml", "ml")


def test_the_reference_is_resampled_alike_for_all_sets():
    one, other = draw_bootstrap(8, 9, 30, 0, 1), draw_bootstrap(8, 9, 30, 0, 2)
    assert torch.equal(one.r, other.r)
    assert not torch.equal(one.a, other.a)
    assert (one.a.sum(1) == 8).all()


def test_few_volumes_have_neither_interval_nor_replicates():
    found = MEAN.score(Numbers(torch.rand(4), draw_bootstrap(4, 9, 30, 0, 1)))
    assert (found.interval, found.replicates) == (None, ())


def test_what_a_set_is_too_small_for_has_no_score():
    larger = Metric(Numbers, "mean", "mean", "lower", mean, fewest=6)
    assert larger.score(Numbers(torch.rand(5))) is None
    assert larger.score(Numbers(torch.rand(6))) is not None
    undefined = Metric(Numbers, "none", "none", "lower", lambda c, _: None)
    assert undefined.score(Numbers(torch.rand(9))) is None


def test_references_are_found_by_key():
    beside = {"numbers/mean": {"real": Beside(1.0, 0.0, 4, 4)}, "numbers/other": {}}
    assert MEAN.score(Numbers(torch.rand(4), references=beside)).beside == beside["numbers/mean"]
