"""What the study requires of its data: a surface of two angles whose nearest point can be computed
for any point of the space.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Nearest(NamedTuple):
    """The nearest points of a manifold."""

    angles: Tensor  # (N, 2) in (-π, π], where they lie
    distance: Tensor  # (N,), Euclidean, in units in which data have length 1 on average


class Manifold(Protocol):
    """Points x(θ₁, θ₂), a smooth and injective function of two angles."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point: (D,) or (C, n, n, n)."""

    @property
    def std(self) -> float:
        """Root mean square of a coordinate: points over √D std have length 1 on average."""

    def embed(self, angles: Tensor) -> Tensor:
        """Return points (N, *shape) for angles (N, 2) in radians."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n points (n, *shape) with uniform angles."""

    def nearest(self, points: Tensor) -> Nearest:
        """Return the nearest point of the manifold to each of `points` (N, *shape)."""

    def coordinates(self, points: Tensor) -> Tensor | None:
        """Return the coordinates (N, 4) in which the manifold is a product of two circles, None
        where there are none.
        """

    def slices(self, points: Tensor) -> Tensor | None:
        """Return two slices (N, 2, n, n) of points that are volumes, None of others."""


def uniform_angles(n: int, generator: torch.Generator) -> Tensor:
    """Return n pairs of independent uniform angles (n, 2) in [0, 2π)."""
    return 2 * math.pi * torch.rand(n, 2, generator=generator)


def length_of_data(manifold: Manifold) -> float:
    """Return the root mean square length of data points, the unit of distances."""
    return manifold.std * math.sqrt(math.prod(manifold.shape))
