"""The search on a surface whose nearest point is known in closed form: two circles in R⁴, of
radius 2 and 1.
"""

import math

import pytest
import torch

from neuromf.torus.search import STARTS, descend, even_angles, nearest_angles, valleys

RADII = torch.tensor([2.0, 1.0], dtype=torch.float64)


def embed(angles):
    return torch.stack([RADII * angles.cos(), RADII * angles.sin()], -1).flatten(-2)


def squared_distance(points, angles):
    return (points[:, None] - embed(angles)).square().sum(-1)


def answer(points):
    x, y = points.unflatten(1, (2, 2)).unbind(-1)
    return torch.atan2(y, x)


def apart(a, b):
    return (torch.remainder(a - b + math.pi, 2 * math.pi) - math.pi).abs().max().item()


GRID = embed(even_angles(12))


@pytest.mark.parametrize("scale", [1.0, 0.01, 30.0])
def test_the_nearest_point_is_found_on_the_surface_near_it_and_far_from_it(scale):
    points = scale * torch.randn(
        300, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    found = nearest_angles(squared_distance, GRID, points)
    assert apart(found, answer(points)) < 1e-7
    assert found.abs().max() <= math.pi


def test_valleys_are_nearer_than_their_neighbours_and_come_in_order():
    """The squared distance to two wells has two minima on the grid."""
    wells = torch.tensor([[10.0, 20.0], [100.0, 101.0]], dtype=torch.float64)
    side = 8
    grid = torch.full((side * side, 1), 9.0, dtype=torch.float64)
    grid[wells[0].long()] = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    found = valleys(grid, torch.zeros(1, 1))
    expected = even_angles(side)[torch.tensor([10, 20])]
    torch.testing.assert_close(found[0, :2], expected)
    assert found.shape == (1, STARTS, 2)


def test_descent_leaves_a_maximum_and_a_saddle():
    """Where the plain Newton step would lead uphill."""
    point = embed(torch.zeros(1, 2, dtype=torch.float64))
    starts = torch.tensor([[[3.0, 3.0], [3.0, 0.1], [0.1, 3.0]]], dtype=torch.float64)
    angles, value = descend(squared_distance, point, starts, 1.0)
    assert apart(angles, torch.zeros(1, 3, 2, dtype=torch.float64)) < 1e-6
    assert value.max() < 1e-12
