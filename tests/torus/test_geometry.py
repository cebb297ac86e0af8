import math

import pytest
import torch

from neuromf.torus.geometry import RADIUS, as_volumes, in_dimensions, in_r4

SPACES = {"r4": in_r4(), "d256": in_dimensions(256), "volume": as_volumes(8)}


@pytest.fixture(params=SPACES)
def torus(request):
    return SPACES[request.param]


@pytest.fixture
def angles():
    return (torch.rand(50, 2, generator=torch.Generator().manual_seed(1)) - 0.5) * 2 * math.pi


def test_angles_are_read_back(torus, angles):
    torch.testing.assert_close(torus.angles(torus.embed(angles)), angles, atol=1e-4, rtol=0)


def test_embedding_is_an_isometry_up_to_its_scale(torus, angles):
    points = torus.embed(angles)
    flat = torch.cdist(points.flatten(1), points.flatten(1)) / torus.scale
    phi = in_r4().embed(angles)
    torch.testing.assert_close(flat, torch.cdist(phi, phi), atol=2e-3, rtol=0)
    torch.testing.assert_close(points.flatten(1).norm(dim=1) / torus.scale, torch.ones(50))


def test_distance_is_zero_on_the_torus_and_known_off_it(torus, angles):
    points = torus.embed(angles)
    assert torus.distance(points).max() < 1e-4
    torch.testing.assert_close(
        torus.distance(0 * points), torch.ones(50)
    )  # the centre: both circles at RADIUS
    half = torus.distance(0.5 * points)
    torch.testing.assert_close(half, torch.full((50,), 0.5), atol=1e-4, rtol=0)
    off = torch.randn(points[0].shape).flatten()
    basis = torus.basis.flatten(1)
    off -= (off @ basis.T) @ basis
    if off.norm() > 1e-3:  # R⁴ has no room beside the torus's own four dimensions
        beside = points + 0.2 * torus.scale * (off / off.norm()).reshape(torus.shape)
        torch.testing.assert_close(
            torus.distance(beside), torch.full((50,), 0.2), atol=1e-3, rtol=0
        )


def test_volumes_are_waves_whose_phase_is_the_angle():
    torus = as_volumes(8)
    quarter = torch.tensor(
        [[0.0, 0.0], [math.pi / 4, math.pi / 2]]
    )  # an eighth of a period is one voxel of eight
    still, moved = torus.embed(quarter)
    torch.testing.assert_close(moved[:2], still[:2].roll(-1, dims=1))
    torch.testing.assert_close(moved[2:], still[2:].roll(-2, dims=2))
    torch.testing.assert_close(still.square().mean(), torch.tensor(1.0))


def test_drawn_angles_are_uniform():
    torus = in_r4()
    points = torus.draw(20_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        points.unflatten(1, (2, 2)).norm(dim=-1), torch.full((20_000, 2), RADIUS)
    )
    assert points.mean(0).abs().max() < 0.02


@pytest.mark.parametrize("make", [lambda: in_dimensions(3), lambda: as_volumes(2)])
def test_too_small_a_space_is_refused(make):
    with pytest.raises(ValueError, match="4"):
        make()
