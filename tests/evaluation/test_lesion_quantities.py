"""Distributions of volumes, shapes and contrasts of lesions against real ones."""

import numpy as np
import pytest

from evaluation.support import boxes, lesion_set
from neuromf.evaluation import registry
from neuromf.evaluation.lesion_quantities import QUANTITIES, QuantityComparison
from neuromf.evaluation.metric import draw_bootstrap
from neuromf.features.lesion import NUMBERS

NOTHING = np.zeros((24, 24, 24), bool)


def compared(a, r, key, draws=0):
    (quantity,) = (q for q in QUANTITIES if q.key == key)
    bootstrap = draw_bootstrap(len(a), len(r), draws, 0, 1) if draws else None
    return QuantityComparison(a, r, bootstrap, quantity=quantity)


def test_every_number_has_its_metrics():
    assert tuple(q.key for q in QUANTITIES) == NUMBERS


@pytest.mark.parametrize("key", NUMBERS)
def test_equal_sets_are_0_apart(key):
    a = lesion_set(boxes(6, 0))
    found = registry.point_estimates(compared(a, a, key))
    assert found[f"lesions/{key}/wasserstein"] == 0
    values = [m.numbers[key] for m in a.masks]
    assert found[f"lesions/{key}/mean"] == pytest.approx(np.mean(values))
    assert found[f"lesions/{key}/sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-7)


def test_brighter_lesions_are_apart_by_their_contrast():
    a, r = lesion_set(boxes(6, 0), ratio=2.0), lesion_set(boxes(6, 0), ratio=1.5)
    found = registry.point_estimates(compared(a, r, "contrast"))
    assert found["lesions/contrast/mean"] == pytest.approx(2, rel=1e-6)
    assert found["lesions/contrast/wasserstein"] == pytest.approx(0.5, rel=1e-5)


def test_empty_masks_are_left_out_of_distributions():
    a, r = lesion_set([*boxes(6, 0), NOTHING]), lesion_set(boxes(6, 0))
    assert registry.point_estimates(compared(a, r, "ml")) == registry.point_estimates(
        compared(r, r, "ml")
    )
    none = lesion_set([NOTHING] * 6)
    assert registry.point_estimates(compared(none, r, "ml")) == {}


def test_intervals_come_from_whole_volumes():
    a, r = lesion_set([*boxes(9, 0), NOTHING]), lesion_set(boxes(9, 1))
    scores = {s.key: s for s in registry.scores(compared(a, r, "ml", draws=40))}
    for score in scores.values():
        low, high = score.interval
        assert low < score.value < high
        assert np.isfinite(score.replicates).all()
        assert (score.n, score.reference) == (10, 9)
    assert scores["lesions/ml/wasserstein"].label == "lesion volume: Wasserstein, ml"
    assert scores["lesions/ml/wasserstein"].compared
    # of the same volumes again, replicates are the value
    one = compared(a, r, "ml", draws=1)
    one.bootstrap.a.fill_(1)
    (mean, sd, _) = registry.metrics_of(one)
    assert float(mean.estimate(one, one.bootstrap)) == pytest.approx(mean.value(one))
    assert float(sd.estimate(one, one.bootstrap)) == pytest.approx(sd.value(one))
