import numpy as np
import pytest

from neuromf.data.resample import Grid
from neuromf.data.view import overlap, share_out_of_view, share_outside
from neuromf.data.volume import Volume
from support import egg, placed


def shift(n):
    move = np.eye(4)
    move[:3, 3] = n
    return move


def test_share_outside_counts_voxels():
    brain = np.ones((10, 10, 10), bool)
    assert share_outside(brain, placed(), Grid((10, 10, 5), placed())) == 0.5


def test_overlap_is_1_where_one_view_holds_the_other():
    scan = egg(placed())
    inner = Volume(scan.voxels[20:-20, 20:-20, 20:-20], scan.affine @ shift(20))
    assert overlap(inner, scan) == overlap(scan, inner) == overlap(scan, scan) == 1
    half = scan.affine.copy()
    half[0, 3] += scan.voxels.shape[0] * scan.spacing[0] / 2
    assert overlap(Volume(scan.voxels, half), scan) == pytest.approx(0.5, abs=0.07)


def test_of_a_mask_what_is_marked_counts():
    scan = Volume(np.zeros((10, 10, 10), np.float32), placed())
    mask = Volume(np.zeros((10, 10, 10), np.float32), placed() @ shift([6, 0, 0]))
    assert share_out_of_view(mask, scan) == 0  # nothing is marked
    mask.voxels[2:6, 4, 4] = 1  # in voxels 8 to 11 of the scan
    assert share_out_of_view(mask, scan) == 0.5
