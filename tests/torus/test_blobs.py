"""Volumes with blobs: what they look like, and that nearest points are the nearest."""

import math

import pytest
import torch

from neuromf.torus.blobs import HEIGHTS, RADIUS, Blobs
from neuromf.torus.manifold import length_of_data
from neuromf.torus.search import even_angles

BLOBS = Blobs(12)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def components(points, share):
    """How many principal components hold a share of the variance."""
    flat = points.flatten(1).double()
    flat = flat - flat.mean(0)
    variances = torch.linalg.eigvalsh(flat @ flat.T).flip(0)
    return int((variances.cumsum(0) < share * variances.sum()).sum()) + 1


def test_blobs_are_where_their_angles_put_them():
    # at 0 neither blob is lifted
    angles = torch.tensor([[0.0, 0.0]], dtype=torch.float64)
    volume = BLOBS.embed(angles)[0, 0]
    for height in HEIGHTS:
        half = volume[:, :, :6] if height < 0 else volume[:, :, 6:]
        top = (half == half.max()).nonzero()[0] + torch.tensor([0, 0, 0 if height < 0 else 6])
        place = (top + 0.5) / 12 - 0.5
        expected = torch.tensor([RADIUS, 0.0, height])
        assert (place - expected).abs().max() < 1 / 12


def test_volumes_have_mean_0_and_variance_1():
    volumes = BLOBS.draw(2000, chance())
    assert abs(volumes.mean().item()) < 0.01
    assert volumes.std().item() == pytest.approx(1, rel=0.02)
    assert Blobs(16).std == 1


def test_the_map_is_smooth_periodic_and_injective():
    angles = even_angles(24)
    volumes = BLOBS.embed(angles).flatten(1)
    torch.testing.assert_close(BLOBS.embed(angles + 2 * math.pi).flatten(1), volumes)

    # no two different pairs of angles are nearer than a step of the grid can make them
    apart = torch.cdist(volumes, volumes)
    turn = torch.remainder(angles[:, None] - angles[None] + math.pi, 2 * math.pi) - math.pi
    ratio = apart / turn.norm(dim=-1).fill_diagonal_(1)
    assert ratio.fill_diagonal_(math.inf).min() > 0.1 * length_of_data(BLOBS)


def test_no_few_linear_dimensions_hold_the_volumes():
    volumes = Blobs(16).embed(even_angles(24))
    assert 30 <= components(volumes, 0.99) <= 80  # the waves of the space "volume" need 4


def test_the_squared_distance_is_that_to_the_embedded_volume():
    points = torch.randn(5, *BLOBS.shape, generator=chance(), dtype=torch.float64)
    angles = 6 * torch.rand(5, 3, 2, generator=chance(1), dtype=torch.float64)
    volumes = BLOBS.embed(angles.flatten(0, 1)).unflatten(0, (5, 3))
    expected = (points[:, None] - volumes).flatten(2).square().sum(-1)
    torch.testing.assert_close(BLOBS.squared_distance(points, angles), expected)


def test_angles_and_distance_of_data_are_exact():
    angles = (torch.rand(200, 2, generator=chance(), dtype=torch.float64) - 0.5) * 2 * math.pi
    found = BLOBS.nearest(BLOBS.embed(angles))
    assert (found.angles - angles).abs().max() < 1e-6
    assert found.distance.max() < 1e-6


def test_the_distance_across_the_surface_is_the_length_of_the_normal():
    angles = (torch.rand(20, 2, generator=chance(), dtype=torch.float64) - 0.5) * 2 * math.pi
    volumes, slopes = zip(
        *(
            torch.func.jvp(BLOBS.embed, (angles,), (e.expand(20, 2),))
            for e in torch.eye(2, dtype=torch.float64)
        ),
        strict=True,
    )
    tangents, _ = torch.linalg.qr(torch.stack([s.flatten(1) for s in slopes], -1))
    normal = torch.randn(20, tangents.shape[1], generator=chance(1), dtype=torch.float64)
    normal -= (tangents @ (tangents.mT @ normal[..., None]))[..., 0]
    normal *= 0.05 * length_of_data(BLOBS) / normal.norm(dim=1, keepdim=True)

    found = BLOBS.nearest(volumes[0] + normal.unflatten(1, BLOBS.shape))
    assert (found.angles - angles).abs().max() < 1e-6
    torch.testing.assert_close(found.distance, torch.full((20,), 0.05), atol=1e-6, rtol=0)


def off_the_surface():
    data, noise = BLOBS.draw(12, chance()), torch.randn(12, *BLOBS.shape, generator=chance(1))
    return {
        "noise": noise,
        "data and noise": data + 0.5 * noise,
        "two at once": (data + data.flip(0)) / 2,
        "pale": 0.2 * data,
        "nothing": torch.zeros(1, *BLOBS.shape),
    }


@pytest.mark.parametrize("kind", off_the_surface())
def test_no_volume_of_a_dense_grid_is_nearer(kind):
    points = off_the_surface()[kind]
    grid = BLOBS.embed(even_angles(100)).float().flatten(1)
    brute = (torch.cdist(points.flatten(1), grid).min(1).values) / length_of_data(BLOBS)
    gap = brute - BLOBS.nearest(points).distance
    assert gap.min() > -1e-5
    assert gap.max() < 5e-3  # what is left between points of the grid


def test_slices_show_both_blobs():
    slices = BLOBS.slices(BLOBS.draw(5, chance()))
    assert slices.shape == (5, 2, 12, 12)
    assert slices.flatten(2).max(2).values.min() > 2


def test_too_small_volumes_are_refused():
    with pytest.raises(ValueError, match="size is 4: .* 8 voxels"):
        Blobs(4)
