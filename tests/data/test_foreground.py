import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.foreground import bounds, foreground, largest_piece, otsu
from neuromf.data.volume import Volume
from support import egg, head, placed


def test_a_brain_on_zeros_is_stripped():
    source = egg(placed())
    found = foreground(source)
    assert found.stripped
    assert (found.mask == ndimage.binary_fill_holes(source.voxels > 0)).mean() > 0.999


def test_holes_and_specks():
    source = egg(placed())
    voxels = source.voxels.copy()
    middle = tuple(n // 2 for n in voxels.shape)
    voxels[middle] = 0
    voxels[1:3, 1:3, 1:3] = 500
    mask = foreground(Volume(voxels, source.affine)).mask
    assert mask[middle]
    assert not mask[1:3, 1:3, 1:3].any()


@pytest.mark.parametrize("noise", [0.0, 12.0])
def test_a_head_in_air_is_not_stripped(noise):
    volume = head(noise)
    found = foreground(volume)
    assert not found.stripped
    assert found.mask.sum() * volume.voxel_ml == pytest.approx(
        4 / 3 * np.pi * 92 * 104 * 88 / 1000, rel=0.05
    )


def test_otsu_separates_two_classes():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(10, 2, 3000), rng.normal(60, 5, 2000)]).astype(np.float32)
    assert 16 < otsu(values) < 45


def test_largest_piece_of_nothing_is_nothing():
    assert not largest_piece(np.zeros((5, 5, 5), bool)).any()


def test_bounds_leave_out_stray_voxels():
    mask = np.zeros((60, 60, 60), bool)
    mask[10:51, 20:41, 5:56] = True
    np.testing.assert_array_equal(bounds(mask), [[10, 20, 5], [50, 40, 55]])
    mask[0, 0, 0] = True
    np.testing.assert_array_equal(bounds(mask), [[10, 20, 5], [50, 40, 55]])
