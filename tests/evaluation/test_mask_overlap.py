import math

import numpy as np
import pytest

from neuromf.evaluation.mask_overlap import dice, hausdorff95, invented, pieces, volume_error


def box(start, stop, side=20):
    mask = np.zeros((side, side, side), bool)
    mask[start:stop, start:stop, start:stop] = True
    return mask


def test_dice():
    a, b = box(2, 6), box(4, 8)
    assert dice(a, a) == 1
    assert dice(a, b) == dice(b, a) == 2 * 8 / (64 + 64)
    assert dice(a, box(0, 0)) == 0
    assert dice(box(0, 0), box(0, 0)) == 1


def test_a_shift_is_the_hausdorff_distance_in_mm():
    a = box(4, 12)
    b = np.roll(a, 2, axis=0)
    assert hausdorff95(a, b, (3.0, 1.0, 1.0)) == 6
    assert hausdorff95(a, b, (1.0, 3.0, 1.0)) == 2
    assert hausdorff95(a, a, (1.0, 1.0, 1.0)) == 0


def test_it_is_symmetric_and_forgives_one_voxel_in_twenty():
    a = box(2, 14)
    b = a.copy()
    b[18, 18, 18] = True
    assert hausdorff95(a, b, (1.0, 1.0, 1.0)) == hausdorff95(b, a, (1.0, 1.0, 1.0)) == 0


def test_nothing_found_is_infinitely_far():
    assert hausdorff95(box(0, 0), box(2, 4), (1.0, 1.0, 1.0)) == math.inf
    assert hausdorff95(box(0, 0), box(0, 0), (1.0, 1.0, 1.0)) == 0


def test_volumes():
    assert volume_error(box(2, 4), box(2, 4)) == 0
    assert volume_error(box(0, 0), box(2, 4)) == -100
    assert volume_error(box(2, 6), box(2, 4)) == pytest.approx(700)


def test_pieces_found_and_invented():
    true = box(2, 4) | box(8, 10) | box(15, 18)
    found = box(2, 4) | box(15, 17) | box(12, 13)
    sizes, shares = pieces(found, true)
    assert sizes.tolist() == [8, 8, 27]
    np.testing.assert_allclose(shares, [1, 0, 8 / 27])
    assert invented(found, true) == 1
    assert invented(true, true) == 0
