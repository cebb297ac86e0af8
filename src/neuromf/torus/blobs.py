"""Volumes with two Gaussian blobs whose places, widths and amplitudes follow two angles: a
surface that no linear map of a few dimensions contains.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.torus.manifold import Nearest, length_of_data, uniform_angles
from neuromf.torus.search import even_angles, nearest_angles

# Lengths over the side of the volume.
RADIUS = 0.26  # of the circles on which the blobs turn, each in a plane across the third axis
HEIGHTS = (-0.22, 0.22)  # of these planes above the middle
LIFT = 0.05  # of a blob, up and down from its plane
WIDTH = 0.1  # standard deviation of a blob
SWELLING = 0.25  # up and down from that width, over it
BRIGHTENING = 0.3  # up and down from the amplitude, over it
SIDE = 32  # of the grid on which a search begins: half a width from point to point


@dataclass(frozen=True)
class Blobs:
    """Volumes (1, n, n, n) of mean 0 and variance 1 over voxels and angles.

    Blob k turns on its own circle with θ_k. The other angle lifts it, swells it and brightens it.
    The place of each blob gives its angle, so the map is injective.
    """

    size: int = 16  # voxels per side

    def __post_init__(self) -> None:
        if self.size < 8:
            raise ValueError(f"size is {self.size}: two blobs need 8 voxels or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point: (1, n, n, n)."""
        return (1, self.size, self.size, self.size)

    @property
    def std(self) -> float:
        """Root mean square of a voxel, 1."""
        return 1.0

    def embed(self, angles: Tensor) -> Tensor:
        """Return volumes (N, 1, n, n, n) for angles (N, 2) in radians, of their dtype."""
        mean, std = self._moments
        return (self._blobs(angles) - mean) / std

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n volumes (n, 1, n, n, n) with uniform angles."""
        return self.embed(uniform_angles(n, generator))

    def nearest(self, points: Tensor) -> Nearest:
        """Return the volumes with such blobs that are nearest to `points` (N, 1, n, n, n)."""
        angles = nearest_angles(self.squared_distance, self._grid, points)
        off = (points - self.embed(angles)).flatten(1).norm(dim=1)
        return Nearest(angles.float(), (off / length_of_data(self)).float())

    def coordinates(self, points: Tensor) -> Tensor | None:
        """Return None: no projection turns these volumes into circles."""
        return None

    def slices(self, points: Tensor) -> Tensor | None:
        """Return the planes (N, 2, n, n) of volumes in which the blobs turn."""
        planes = [round((0.5 + height) * self.size - 0.5) for height in HEIGHTS]
        return points[:, 0, :, :, planes].movedim(-1, 1)

    def squared_distance(self, points: Tensor, angles: Tensor) -> Tensor:
        """Return |x - embed(θ)|² (N, S) for points x (N, 1, n, n, n) and angles θ (N, S, 2).

        Blobs are products along the axes, so no volume is made of any θ: x is summed along one
        axis after the other.
        """
        x, y, z = self._factors(angles)
        volumes = points[:, 0].to(angles)
        planes = torch.einsum("nijk,nsbk->nsbij", volumes, z)
        product = torch.einsum("nsbij,nsbi,nsbj->ns", planes, x, y)

        pairs = [torch.einsum("nsbi,nsci->nsbc", f, f) for f in (x, y, z)]
        square = (pairs[0] * pairs[1] * pairs[2]).sum((-1, -2))
        total = (x.sum(-1) * y.sum(-1) * z.sum(-1)).sum(-1)

        mean, std = self._moments
        product = (product - mean * volumes.sum((1, 2, 3))[:, None]) / std
        square = (square - 2 * mean * total + mean**2 * self.size**3) / std**2
        return volumes.square().sum((1, 2, 3))[:, None] - 2 * product + square

    def _blobs(self, angles: Tensor) -> Tensor:
        """Return the sum of both blobs (N, 1, n, n, n), whose amplitudes are about 1."""
        x, y, z = self._factors(angles)
        planes = x[..., :, None] * y[..., None, :]
        return torch.einsum("nbij,nbk->nijk", planes, z).unsqueeze(1)

    def _factors(self, angles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the blobs along the three axes, each (..., 2, n), for angles (..., 2): a blob is
        their product. The first has the amplitude.
        """
        other = angles.flip(-1)
        heights = torch.tensor(HEIGHTS).to(angles) + LIFT * other.sin()
        places = torch.stack([RADIUS * angles.cos(), RADIUS * angles.sin(), heights], -1)
        widths = WIDTH * (1 + SWELLING * other.cos())

        voxels = ((torch.arange(self.size) + 0.5) / self.size - 0.5).to(angles)
        off = (voxels - places[..., None]) / widths[..., None, None]
        x, y, z = (-0.5 * off.square()).exp().unbind(-2)
        return (1 + BRIGHTENING * other.sin())[..., None] * x, y, z

    @functools.cached_property
    def _moments(self) -> tuple[float, float]:
        """Mean and standard deviation of a voxel over all angles."""
        volumes = self._blobs(even_angles(SIDE))
        return volumes.mean().item(), volumes.std(correction=0).item()

    @functools.cached_property
    def _grid(self) -> Tensor:
        return self.embed(even_angles(SIDE)).float()
