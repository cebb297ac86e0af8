"""Where lesions lie, what intensities they have, how similar masks are to real ones."""

import numpy as np
import pytest

from evaluation.support import box, boxes, lesion_set
from neuromf.evaluation import registry
from neuromf.evaluation.lesion_metrics import LesionComparison
from neuromf.evaluation.metric import draw_bootstrap

NOTHING = np.zeros((24, 24, 24), bool)


def values(a, r):
    return registry.point_estimates(LesionComparison(a, r))


def test_equal_sets():
    a = lesion_set(boxes(6, 0))
    found = values(a, a)
    assert found["lesions/empty"] == 0
    assert found["lesions/place.r"] == pytest.approx(1)
    for key in ("intensity.inside", "intensity.around", "hausdorff95", "hausdorff95.aligned"):
        assert found[f"lesions/{key}"] == 0
    assert found["lesions/dice"] == found["lesions/dice.aligned"] == 1


def test_moved_masks_are_equal_after_alignment_alone():
    a = lesion_set([np.roll(m, 3, 2) for m in boxes(6, 0)])
    found = values(a, lesion_set(boxes(6, 0)))
    assert found["lesions/dice.aligned"] == 1
    assert found["lesions/dice"] < 0.9
    assert found["lesions/hausdorff95"] > 0
    assert found["lesions/hausdorff95.aligned"] == 0


def test_empty_masks_are_counted():
    a, r = lesion_set([*boxes(6, 0), NOTHING, NOTHING]), lesion_set(boxes(6, 0))
    found = values(a, r)
    assert found["lesions/empty"] == 0.25
    without = values(r, r)
    assert {k: v for k, v in found.items() if k != "lesions/empty"} == pytest.approx(
        {k: v for k, v in without.items() if k != "lesions/empty"}
    )
    assert set(values(lesion_set([NOTHING] * 6), r)) == {"lesions/empty"}


def test_places():
    """Lesions of the other half of the brain lie where real ones are rare."""
    real = lesion_set([box((3, y, 8), (4, 4, 4)) for y in range(4, 12)])
    there = lesion_set([box((4, y, 9), (3, 3, 3)) for y in range(4, 12)])
    elsewhere = lesion_set([box((17, y, 8), (4, 4, 4)) for y in range(4, 12)])
    near, far = values(there, real), values(elsewhere, real)
    assert near["lesions/place.r"] > 0.95
    assert far["lesions/place.r"] < 0
    assert near["lesions/place.frequency"] > 5 * far["lesions/place.frequency"]


def test_intensities_are_apart_by_their_difference():
    a, r = lesion_set(boxes(6, 0), ratio=2.0), lesion_set(boxes(6, 0), ratio=1.5)
    found = values(a, r)
    assert found["lesions/intensity.inside"] == pytest.approx(0.2, abs=1 / 64)
    assert found["lesions/intensity.around"] == 0


def test_intervals():
    a, r = lesion_set([*boxes(9, 0), NOTHING]), lesion_set(boxes(8, 1))
    bootstrap = draw_bootstrap(len(a), len(r), 40, 0, 1)
    scores = {s.key: s for s in registry.scores(LesionComparison(a, r, bootstrap))}
    for score in scores.values():
        low, high = score.interval
        assert low <= score.value <= high
        assert low < high or "intensity" in score.key  # every lesion of these is as bright
    assert scores["lesions/empty"].interval.low > 0
    assert "moved by whole voxels" in scores["lesions/dice.aligned"].note


def test_dice_ends_at_one():
    """All masks but one are those of real people."""
    masks = [*boxes(9, 0), box((1, 1, 1), (3, 3, 3))]
    a, r = lesion_set(masks), lesion_set(boxes(9, 0))
    bootstrap = draw_bootstrap(len(a), len(r), 40, 0, 1)
    scores = {s.key: s for s in registry.scores(LesionComparison(a, r, bootstrap))}
    assert scores["lesions/dice"].value < scores["lesions/dice"].interval.high == 1


def test_replicates_of_every_volume_once_are_the_value():
    a, r = lesion_set([*boxes(9, 0), NOTHING]), lesion_set(boxes(8, 1))
    bootstrap = draw_bootstrap(len(a), len(r), 2, 0, 1)
    for counts in bootstrap:
        counts.fill_(1)
    found = LesionComparison(a, r, bootstrap)
    for metric in registry.metrics_of(found):
        if metric.resampled:
            assert metric.replicates(found).tolist() == pytest.approx([metric.value(found)] * 2)
