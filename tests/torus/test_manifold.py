"""What every space of the study promises, whatever its points are."""

import math

import pytest
import torch

from neuromf.torus.blobs import Blobs
from neuromf.torus.geometry import as_volumes, in_dimensions, in_r4
from neuromf.torus.manifold import length_of_data

SPACES = {
    "r4": in_r4(),
    "d256": in_dimensions(256),
    "volume": as_volumes(8),
    "blobs": Blobs(8),
}


@pytest.fixture(params=SPACES)
def manifold(request):
    return SPACES[request.param]


@pytest.fixture
def data(manifold):
    return manifold.draw(400, torch.Generator().manual_seed(0))


def test_a_point_has_the_shape_that_is_said(manifold, data):
    assert data.shape == (400, *manifold.shape)
    assert manifold.embed(torch.zeros(3, 2)).shape == (3, *manifold.shape)


def test_the_standard_deviation_is_that_of_the_data(manifold, data):
    assert data.square().mean().sqrt().item() == pytest.approx(manifold.std, rel=0.05)
    lengths = data.flatten(1).norm(dim=1) / length_of_data(manifold)
    assert lengths.square().mean().item() == pytest.approx(1, rel=0.1)


def test_the_nearest_point_of_data_is_itself(manifold):
    angles = (torch.rand(40, 2, generator=torch.Generator().manual_seed(1)) - 0.5) * 2 * math.pi
    found = manifold.nearest(manifold.embed(angles))
    torch.testing.assert_close(found.angles, angles, atol=1e-4, rtol=0)
    assert found.distance.max() < 1e-4


def test_only_volumes_have_slices(manifold, data):
    slices = manifold.slices(data)
    if len(manifold.shape) < 4:
        assert slices is None
    else:
        assert slices.shape == (400, 2, *manifold.shape[2:])
