import numpy as np
import pytest
from scipy import ndimage

from neuromf.training.mask_shapes import (
    EMPTY,
    blob,
    draw_mask,
    frayed,
    in_slices,
    pieces,
    sheet,
    specks,
    turned,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_masks_are_a_function_of_the_seed():
    one, same, other = (draw_mask(rng(seed), 24) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert one.shape == (24, 24, 24)
    assert one.dtype == bool


def test_sizes_span_what_lesions_have():
    drawn = rng(3)
    ml = np.array([draw_mask(drawn, 32).sum() * 0.008 for _ in range(200)])
    assert (ml == 0).mean() < EMPTY + 0.1
    assert (ml < 0.2).mean() > 0.05
    assert (ml > 10).mean() > 0.05


def test_a_blob_has_about_its_volume():
    drawn = rng(1)
    ml = [blob(drawn, 32, 4.0, spread=0.0).sum() * 0.008 for _ in range(20)]
    assert 2 < np.median(ml) < 8


def test_sheets_are_thin():
    drawn = rng(2)
    sheets = [sheet(drawn, 32) for _ in range(20)]
    thickness = [ndimage.distance_transform_edt(s).max() for s in sheets if s.any()]
    assert len(thickness) > 10
    assert np.median(thickness) < 3.5


def test_pieces_and_specks_are_several_and_small():
    drawn = rng(4)
    assert max(ndimage.label(pieces(drawn, 32))[1] for _ in range(10)) > 2
    assert max(specks(drawn, 32).sum() for _ in range(30)) < 400


def test_slices_repeat_voxels_along_one_axis():
    mask = rng(5).random((24, 6, 6)) < 0.5
    found = in_slices(mask, rng(0))
    repeated = (found[1:] == found[:-1]).all((1, 2))
    assert 0 < repeated.sum() < 23


@pytest.mark.parametrize("change", [turned, frayed])
def test_changes_keep_most_of_a_mask(change):
    mask = blob(rng(6), 24, 10.0, spread=0.0)
    changed = change(mask, rng(7))
    assert 0.7 < changed.sum() / mask.sum() < 1.3
    if change is frayed:
        core = ndimage.binary_erosion(mask)
        assert (changed[core]).all()
