"""Overlap of all pairs at once equals that of each pair; alignment undoes a shift."""

import math

import numpy as np
import pytest
from scipy import ndimage

from neuromf.evaluation.mask_overlap import dice
from neuromf.metrics.masks import aligned, border_distance95, border_of, dice_of_all

SPACING = (2.0, 1.0, 3.0)


def mask(seed, shape=(14, 15, 12)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    return noise > np.quantile(noise, 0.9)


def points(found):
    return np.argwhere(found)


def test_dice_of_all_pairs_is_that_of_each_pair():
    a, b = [mask(seed) for seed in range(3)], [mask(seed) for seed in range(2, 6)]
    found = dice_of_all([points(m) for m in a], [points(m) for m in b])
    assert found == pytest.approx(np.array([[dice(x, y) for y in b] for x in a]))
    assert found[2, 0] == 1


def test_large_masks_are_counted_whole():
    """More shared voxels than a byte counts."""
    full = points(np.ones((20, 20, 20), bool))
    assert dice_of_all([full], [full]) == 1


def test_an_empty_mask_overlaps_nothing():
    empty = points(np.zeros((3, 3, 3), bool))
    assert dice_of_all([empty, points(mask(0))], [empty]).tolist() == [[0], [0]]
    assert dice_of_all([empty], [empty]).tolist() == [[0]]
    assert len(aligned(empty)) == len(border_of(empty)) == 0
    assert border_distance95(empty, empty, SPACING) == 0
    assert border_distance95(empty, points(mask(0)), SPACING) == math.inf


@pytest.mark.parametrize("shift", [(1, 0, 0), (0, -3, 5), (101, 102, 103)])
@pytest.mark.parametrize("seed", range(4))
def test_alignment_undoes_a_shift_by_whole_voxels(shift, seed):
    one = points(mask(seed))
    assert np.array_equal(aligned(one), aligned(one + np.array(shift)))
    assert dice_of_all([one], [one + np.array(shift)]) < 1


def test_alignment_moves_by_whole_voxels_also_from_half_ones():
    two = np.array([[4, 4, 4], [5, 4, 4]])
    assert np.array_equal(aligned(two), aligned(two + 1))
    assert np.abs(aligned(two).mean(0)).max() <= 0.5


def test_borders_and_their_distance_are_those_of_voxel_grids():
    a, b = mask(1), mask(2)
    a[0] = True  # at the rim of the grid too
    one, other = (m & ~ndimage.binary_erosion(m) for m in (a, b))
    assert {*map(tuple, border_of(points(a)))} == {*map(tuple, points(one))}
    found = border_distance95(border_of(points(a)), border_of(points(b)), SPACING)
    there = ndimage.distance_transform_edt(~other, sampling=SPACING)[one]
    back = ndimage.distance_transform_edt(~one, sampling=SPACING)[other]
    assert found == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)))
