"""The most similar mask: itself among others, and a moved one after alignment."""

import numpy as np
import pytest

from evaluation.support import box, boxes, lesion_set
from neuromf.evaluation.nearest_masks import dice_between, nearest_masks


def lesions(*masks):
    return lesion_set(masks).masks


def test_equal_masks_are_found():
    found = nearest_masks(lesions(*boxes(5, 0)), lesions(*reversed(boxes(5, 0))))
    assert found.dice.tolist() == [1] * 5
    assert found.hausdorff95.tolist() == [0] * 5
    assert found.number.tolist() == [4, 3, 2, 1, 0]


def test_a_moved_mask_is_equal_after_alignment():
    one, moved = lesions(box((4, 5, 6), (4, 3, 5))), lesions(box((6, 5, 6), (4, 3, 5)))
    there, aligned = (nearest_masks(one, moved, aligned=way) for way in (False, True))
    assert there.dice[0] == pytest.approx(0.5)
    assert there.hausdorff95[0] == pytest.approx(4)  # 2 voxels of 2 mm
    assert (aligned.dice[0], aligned.hausdorff95[0]) == (1, 0)


def test_of_masks_that_overlap_none_the_closest_counts():
    one = lesions(box((2, 2, 2), (2, 2, 2)))
    found = nearest_masks(one, lesions(box((18, 2, 2), (2, 2, 2)), box((6, 2, 2), (2, 2, 2))))
    assert (found.dice[0], found.number[0]) == (0, 1)
    assert found.hausdorff95[0] == pytest.approx(8)


def test_empty_and_excluded_masks_are_nobodys_neighbours():
    nothing = np.zeros((24, 24, 24), bool)
    full, other = box((4, 4, 4), (4, 4, 4)), box((4, 4, 5), (4, 4, 4))
    found = nearest_masks(lesions(full, nothing), lesions(nothing, full, other))
    assert found.number.tolist() == [1, -1]
    assert np.isnan(found.dice[1])
    assert np.isnan(found.hausdorff95[1])

    some = nearest_masks(lesions(full), lesions(full, other), excluded=np.array([[True, False]]))
    assert (some.number[0], some.dice[0]) == (1, 0.75)
    none = nearest_masks(lesions(full), lesions(full), excluded=np.array([[True]]))
    assert np.isnan(none.dice[0])


def test_dice_of_all_pairs():
    a, b = lesions(*boxes(3, 0)), lesions(*boxes(4, 1))
    assert dice_between(a, b).shape == (3, 4)
    assert (dice_between(a, b, aligned=True) > 0).all()
