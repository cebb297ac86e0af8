import numpy as np
import pytest

from neuromf.data.resample import Grid
from neuromf.phantoms.deform import (
    Deformation,
    integrate,
    lowered,
    random_field,
    random_points,
    read_at,
)
from support import egg, placed

GRID = Grid((40, 48, 40), placed(spacing=(4.0, 4.0, 4.0), degrees=8))


def jacobian(points, spacing):
    gradients = np.stack([np.stack(np.gradient(p, spacing), axis=-1) for p in points], axis=-2)
    return np.linalg.det(gradients)


@pytest.mark.parametrize("seed", range(3))
def test_deformations_fold_nothing(seed):
    strong = Deformation(warp_mm=10.0, smooth_mm=18.0)
    points = random_points(GRID, strong, np.random.default_rng(seed))
    det = jacobian(points, 4.0) / np.linalg.det(GRID.affine[:3, :3] / 4.0)
    assert det.min() > 0
    assert 0.5 < det.mean() < 2


def test_no_deformation_is_the_identity():
    still = Deformation(warp_mm=0.0, scale=0.0, rotation=0.0)
    points = random_points(GRID, still, np.random.default_rng(0))
    indices = np.indices(GRID.shape)
    expected = (
        np.tensordot(GRID.affine[:3, :3], indices, axes=(1, 0))
        + GRID.affine[:3, 3][:, None, None, None]
    )
    np.testing.assert_allclose(points, expected, atol=1e-3)


def test_length_of_the_displacement():
    field = random_field(GRID, Deformation(warp_mm=5.0), np.random.default_rng(0))
    assert np.sqrt((field**2).sum(0).mean()) == pytest.approx(5.0, rel=0.2)


def test_integration_composes():
    """exp(v) after exp(v) is exp(2 v), and exp(-v) after exp(v) stays."""
    from scipy import ndimage

    rng = np.random.default_rng(0)
    size = np.full(3, 6.0)
    velocity = np.stack(
        [ndimage.gaussian_filter(rng.standard_normal((24, 24, 24)), 4) for _ in range(3)]
    ).astype(np.float32)
    velocity *= 4 / np.sqrt((velocity**2).sum(0).mean())
    once, back, twice = (
        integrate(velocity, size),
        integrate(-velocity, size),
        integrate(2 * velocity, size),
    )
    identity = np.indices(velocity.shape[1:], dtype=np.float32)
    after = lambda first, then: (
        first
        + np.stack(
            [
                ndimage.map_coordinates(d, identity + first / 6, order=1, mode="nearest")
                for d in then
            ]
        )
    )
    inner = (slice(None), *[slice(4, -4)] * 3)
    assert np.abs(after(once, once) - twice)[inner].max() < 0.2  # mm
    assert np.abs(after(once, back))[inner].max() < 0.2


def test_reading_at_the_own_voxels_returns_them():
    volume = egg(placed(spacing=(4.0, 4.0, 4.0)))
    indices = np.indices(volume.voxels.shape, dtype=np.float32)
    points = (
        np.tensordot(volume.affine[:3, :3].astype(np.float32), indices, axes=(1, 0))
        + volume.affine[:3, 3].astype(np.float32)[:, None, None, None]
    )
    for order in (1, 3):
        np.testing.assert_allclose(
            read_at(lowered(volume, 4.0), points, order), volume.voxels, atol=0.2
        )


@pytest.mark.parametrize(
    "bad",
    [
        *(
            {"warp_mm": -1},
            {"smooth_mm": 2},
            {"warp_mm": 30.0, "smooth_mm": 20.0},
            {"scale": 2.0},
            {"rotation": 400},
        ),
        *({key: np.nan} for key in ("warp_mm", "smooth_mm", "scale", "rotation")),
        {"smooth_mm": np.inf},
    ],
    ids=str,
)
def test_settings_are_checked(bad):
    with pytest.raises(ValueError, match=r"smooth_mm|negative|scale"):
        Deformation(**bad)
