"""Copies of training masks are found; people in both sets are not compared with themselves."""

import numpy as np
import pytest

from evaluation.support import box, boxes, lesion_set
from neuromf.evaluation import registry
from neuromf.evaluation.lesion_copies import (
    LEAST,
    compare_with_training_masks,
    largest_dice,
)
from neuromf.evaluation.metric import draw_bootstrap


@pytest.fixture(scope="module")
def train():
    return lesion_set(boxes(8, 0), "train")


@pytest.fixture(scope="module")
def held_out():
    return lesion_set(boxes(6, 1), "held")


def test_copies_are_counted(train, held_out):
    samples = lesion_set([*boxes(8, 0)[:3], *boxes(3, 5)], "sample", people=False)
    found = compare_with_training_masks(samples, held_out, train)
    values = registry.point_estimates(found)
    assert values["lesions/training/copies"] == 0.5
    assert found.threshold >= max(LEAST, found.largest)
    assert found.references["lesions/training/copies"]["real"].mean == 0
    assert found.references["lesions/training/dice"]["real"].n == 6


def test_a_moved_copy_is_similar_after_alignment_alone(train, held_out):
    samples = lesion_set([np.roll(m, 6, 1) for m in boxes(8, 0)], "sample", people=False)
    values = registry.point_estimates(compare_with_training_masks(samples, held_out, train))
    assert values["lesions/training/dice.aligned"] == 1
    assert values["lesions/training/copies"] == 0


def test_no_two_real_people_reach_the_threshold(held_out):
    """Two of the training people have almost the same mask."""
    close = [*boxes(6, 2), box((4, 4, 4), (6, 6, 6)), box((4, 4, 4), (6, 6, 5))]
    train = lesion_set(close, "train")
    found = compare_with_training_masks(held_out, held_out, train)
    assert found.threshold == found.largest == pytest.approx(2 * 180 / (216 + 180))
    assert f"{found.largest:.3f}" in registry.scores(found)[0].note


def test_people_are_not_compared_with_themselves(train):
    assert largest_dice(train, train) < 1
    found = compare_with_training_masks(train, train, train)
    assert found.references["lesions/training/copies"]["real"].mean == 0
    assert found.references["lesions/training/dice"]["real"].mean < 1


def test_dice_ends_at_one(train, held_out):
    """All masks but one are copies."""
    samples = lesion_set([*boxes(8, 0), box((1, 1, 1), (3, 3, 3))], "sample", people=False)
    bootstrap = draw_bootstrap(len(samples), len(held_out), 40, 0, 1)
    found = compare_with_training_masks(samples, held_out, train, bootstrap)
    score = next(s for s in registry.scores(found) if s.key == "lesions/training/dice")
    assert score.value < score.interval.high == 1


def test_intervals(train, held_out):
    bootstrap = draw_bootstrap(len(held_out), len(held_out), 30, 0, 1)
    found = compare_with_training_masks(held_out, held_out, train, bootstrap)
    scores = {s.key.rpartition("/")[2]: s for s in registry.scores(found)}
    assert scores["copies"].interval.high > 0
    assert scores["dice"].interval.low < scores["dice"].value < scores["dice"].interval.high
    assert scores["hausdorff95"].unit == "mm"
