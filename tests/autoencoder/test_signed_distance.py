import numpy as np
import pytest
from scipy import ndimage

from neuromf.autoencoder.signed_distance import signed_distance


def ball(shape, spacing, radius):
    """A ball in the middle of a grid, and the exact signed distance to its surface."""
    axes = [(np.arange(n) - (n - 1) / 2) * size for n, size in zip(shape, spacing, strict=True)]
    exact = radius - np.sqrt(sum(x**2 for x in np.meshgrid(*axes, indexing="ij")))
    return exact > 0, exact


@pytest.mark.parametrize(
    "spacing", [(2.0, 2.0, 2.0), (1.0, 1.0, 1.0), (0.8, 1.0, 3.0)], ids=["2", "1", "anisotropic"]
)
def test_a_ball_has_its_distance_in_mm(spacing):
    shape = tuple(int(60 / size) for size in spacing)
    mask, exact = ball(shape, spacing, 17.0)
    found = signed_distance(mask, spacing, clip=100.0)
    assert np.abs(found - exact).max() < max(spacing)
    assert np.abs(found - exact).mean() < 0.4 * max(spacing)
    assert ((found > 0) == mask).all()


def test_neighbours_across_a_border_are_half_a_voxel_away():
    mask = np.zeros((8, 8, 8), bool)
    mask[:4] = True
    found = signed_distance(mask, (3.0, 1.0, 1.0), clip=100.0)
    np.testing.assert_allclose(found[:, 4, 4], [10.5, 7.5, 4.5, 1.5, -1.5, -4.5, -7.5, -10.5])


def test_it_is_clipped_and_no_more():
    mask, _ = ball((32, 32, 32), (2.0, 2.0, 2.0), 13.0)
    whole = signed_distance(mask, (2.0, 2.0, 2.0), clip=1000.0)
    clipped = signed_distance(mask, (2.0, 2.0, 2.0), clip=6.0)
    np.testing.assert_array_equal(clipped, whole.clip(-6, 6))


def test_a_mask_at_the_border_of_the_grid_has_no_border_there():
    mask = np.zeros((12, 12, 12), bool)
    mask[:5] = True
    found = signed_distance(mask, (2.0, 2.0, 2.0), clip=6.0)
    np.testing.assert_allclose(found[:, 3, 7], [6, 6, 5, 3, 1, -1, -3, -5, -6, -6, -6, -6])


def test_a_box_that_fills_its_surroundings_is_inside():
    """With a short reach all that is computed around a mask may be the mask itself."""
    mask = np.zeros((40, 12, 12), bool)
    mask[10:30] = True
    found = signed_distance(mask, (2.0, 2.0, 2.0), clip=1.0)
    np.testing.assert_array_equal(found, np.where(mask, 1.0, -1.0))
    assert ndimage.label(found > 0)[1] == 1


@pytest.mark.parametrize(("value", "distance"), [(False, -6.0), (True, 6.0)])
def test_without_a_border_all_is_far(value, distance):
    found = signed_distance(np.full((4, 5, 6), value), (2.0, 2.0, 2.0), clip=6.0)
    np.testing.assert_array_equal(found, distance)
