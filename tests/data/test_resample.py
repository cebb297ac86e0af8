import numpy as np
import pytest
from scipy import ndimage

from neuromf.data.resample import Grid, axis_matrix, grid_of, isotropic_grid, nearest, resample
from neuromf.data.volume import Volume
from support import AFFINES, placed


def ramp(affine, shape=(12, 14, 10)):
    """A volume whose value is a linear function of place."""
    points = (
        np.tensordot(affine[:3, :3], np.indices(shape), axes=(1, 0))
        + affine[:3, 3][:, None, None, None]
    )
    return Volume((points[0] + 2 * points[1] - 3 * points[2]).astype(np.float32), affine)


def inside(grid, volume):
    points = (
        np.tensordot(grid.affine[:3, :3], np.indices(grid.shape), axes=(1, 0))
        + grid.affine[:3, 3][:, None, None, None]
    )
    back = np.linalg.inv(volume.affine)
    index = np.tensordot(back[:3, :3], points, axes=(1, 0)) + back[:3, 3][:, None, None, None]
    limit = np.array(volume.voxels.shape)[:, None, None, None] - 1
    return ((index >= 0) & (index <= limit)).all(axis=0), points


@pytest.mark.parametrize("target", AFFINES.values(), ids=AFFINES)
def test_a_linear_function_of_place_stays_itself(target):
    """Trilinear interpolation is exact on it, whatever the two grids: every flip, turn and offset must be right."""
    volume = ramp(placed(spacing=(2.0, 1.5, 3.0), degrees=5))
    grid = Grid((9, 8, 7), target.copy())
    centre = volume.affine @ np.array([5.5, 6.5, 4.5, 1])
    grid.affine[:3, 3] = centre[:3] - target[:3, :3] @ np.array([4, 3.5, 3])
    out = resample(volume, grid, smooth=False).voxels
    known, points = inside(grid, volume)
    assert known.sum() > 20
    expected = points[0] + 2 * points[1] - 3 * points[2]
    np.testing.assert_allclose(out[known], expected[known], atol=2e-3)


def test_aligned_grids_take_the_same_values_as_turned_ones():
    """The matrices of aligned grids are the trilinear interpolation that scipy does."""
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((11, 12, 13), np.float32), placed())
    step = np.diag([1.3, 0.7, 1.0, 1.0])
    step[:3, 3] = [0.4, 1.2, -0.3]
    out = resample(volume, Grid((10, 11, 12), volume.affine @ step), smooth=False).voxels
    expected = ndimage.affine_transform(
        volume.voxels, np.diag(step)[:3], step[:3, 3], (10, 11, 12), order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_the_same_grid_is_the_identity():
    volume = ramp(placed(degrees=20))
    out = resample(volume, Grid((12, 14, 10), volume.affine))
    np.testing.assert_allclose(out.voxels, volume.voxels, atol=1e-4)


def test_smoothing_keeps_constants_and_removes_what_would_alias():
    volume = Volume(np.ones((40, 40, 40), np.float32), placed(spacing=(1, 1, 1)))
    grid = isotropic_grid(volume, 2.0, (10, 10, 10), np.full(3, 19.5))
    np.testing.assert_allclose(resample(volume, grid).voxels, 1, atol=1e-5)
    stripes = Volume(np.ones((40, 40, 40), np.float32), volume.affine)
    stripes.voxels[::2] = -1  # a wave of two voxels, which voxels twice as large cannot hold
    assert np.abs(resample(stripes, grid).voxels).max() < 0.2
    assert np.abs(resample(stripes, grid, smooth=False).voxels).max() == 1


def test_a_gaussian_has_the_width_that_the_formula_says():
    """FWHM² of the kernel is the difference of the squares of the voxel sizes."""
    row = axis_matrix(41, 1, 20.0, 1.0, sigma=2.5)[0].astype(float)
    at = np.arange(41) - 20
    assert row.sum() == pytest.approx(1, abs=1e-4)
    assert np.sqrt((row * at**2).sum()) == pytest.approx(
        np.sqrt(2.5**2 + 1 / 12), rel=2e-3
    )  # integrated over a voxel


def test_beyond_the_field_of_view_is_zero():
    volume = Volume(np.ones((8, 8, 8), np.float32), placed())
    far = volume.affine.copy()
    far[:3, 3] += 500
    assert not resample(volume, Grid((4, 4, 4), far)).voxels.any()


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_isotropic_grids_are_cubes_around_the_centre(affine):
    volume = Volume(np.ones((20, 24, 22), np.float32), affine).canonical()
    centre = np.array([7.0, 12.0, 9.0])
    grid = isotropic_grid(volume, 2.0, (16, 18, 20), centre)
    np.testing.assert_allclose(
        grid.affine[:3, :3].T @ grid.affine[:3, :3], 4 * np.eye(3), atol=1e-9
    )
    assert np.linalg.det(grid.affine[:3, :3]) > 0
    middle = np.linalg.inv(grid.affine) @ volume.affine @ np.append(centre, 1)
    assert np.abs(middle[:3] - (np.array(grid.shape) - 1) / 2).max() <= 0.5 + 1e-9
    other = isotropic_grid(volume, 2.0, (8, 8, 8), centre + 3)
    lattice = np.linalg.inv(grid.affine) @ other.affine[:, 3]
    np.testing.assert_allclose(lattice, np.rint(lattice), atol=1e-6)


def test_sheared_axes_are_made_orthogonal():
    sheared = placed()
    sheared[0, 2] += 0.6
    volume = ramp(sheared, (20, 20, 20))
    grid = isotropic_grid(volume, 2.0, (8, 8, 8), np.full(3, 9.5))
    np.testing.assert_allclose(
        grid.affine[:3, :3].T @ grid.affine[:3, :3], 4 * np.eye(3), atol=1e-9
    )
    known, points = inside(grid, volume)
    expected = points[0] + 2 * points[1] - 3 * points[2]
    out = resample(volume, grid, smooth=False).voxels
    np.testing.assert_allclose(out[known], expected[known], atol=2e-3)


def test_a_long_axis_is_resampled_before_short_ones_grow():
    """In whatever order, the values are those of the interpolation."""
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((2, 3, 4000), np.float32), np.diag([8.0, 8.0, 0.1, 1.0]))
    grid = Grid((40, 30, 20), np.diag([0.3, 0.5, 18.0, 1.0]))
    step = np.linalg.inv(volume.affine) @ grid.affine
    out = resample(volume, grid, smooth=False).voxels
    expected = ndimage.affine_transform(
        volume.voxels, np.diag(step)[:3], 0, grid.shape, order=1, mode="grid-constant"
    )
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize("target", AFFINES.values(), ids=AFFINES)
def test_nearest_reads_the_voxel_whose_centre_is_nearest(target):
    rng = np.random.default_rng(0)
    source = Volume(rng.integers(1, 100, (12, 14, 10)).astype(np.float32), AFFINES["oblique"])
    grid = Grid((9, 8, 11), target)
    found = nearest(source, grid).voxels
    centres = np.argwhere(np.ones((12, 14, 10))) @ source.affine[:3, :3].T + source.affine[:3, 3]
    for index in rng.integers(0, grid.shape, (60, 3)):
        point = target[:3, :3] @ index + target[:3, 3]
        away = np.linalg.norm(centres - point, axis=1)
        closest = source.voxels.ravel()[away.argmin()]
        assert found[tuple(index)] in (0, closest)
        if away.min() < 0.4 * min(source.spacing):
            assert found[tuple(index)] == closest


def test_nearest_on_its_own_grid_changes_nothing():
    source = ramp(AFFINES["all of it"])
    assert np.array_equal(nearest(source, grid_of(source)).voxels, source.voxels)
