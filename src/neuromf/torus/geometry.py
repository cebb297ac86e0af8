"""The flat torus, embedded so that its two angles can be read back exactly: in R⁴, in
D dimensions, and as volumes.

φ(θ₁, θ₂) = (cos θ₁, sin θ₁, cos θ₂, sin θ₂) / √2 has length 1; every embedding is φ times an
orthonormal basis and a scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.torus.manifold import Nearest, uniform_angles

RADIUS = 1 / math.sqrt(2)  # of each of the two circles


@dataclass(frozen=True)
class Torus:
    """An embedding x = scale Σ_k φ_k basis_k; `basis` is (4, *shape), orthonormal."""

    basis: Tensor
    scale: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point: (4,), (D,) or (4, n, n, n)."""
        return tuple(self.basis.shape[1:])

    @property
    def std(self) -> float:
        """Root mean square of a coordinate."""
        return self.scale / math.sqrt(math.prod(self.shape))

    def embed(self, angles: Tensor) -> Tensor:
        """Return points (N, *shape) for angles (N, 2) in radians."""
        phi = RADIUS * torch.stack([angles.cos(), angles.sin()], -1).flatten(1)
        return self.scale * torch.tensordot(phi, self.basis, dims=1)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return n points (n, *shape) with uniform angles."""
        return self.embed(uniform_angles(n, generator))

    def coordinates(self, points: Tensor) -> Tensor:
        """Return φ-coordinates (N, 4) of points (N, *shape): their projection on the
        torus's own four dimensions.
        """
        return points.flatten(1) @ self.basis.flatten(1).T / self.scale

    def nearest(self, points: Tensor) -> Nearest:
        """Return the nearest points of the torus to `points` (N, *shape)."""
        return Nearest(self.angles(points), self.distance(points))

    def slices(self, points: Tensor) -> Tensor | None:
        """Return a plane of the first and of the third channel (N, 2, n, n) of volumes, one for
        each wave; None of points that are none.
        """
        return points[:, ::2, :, :, 0] if len(self.shape) == 4 else None

    def angles(self, points: Tensor) -> Tensor:
        """Return angles (N, 2) in (-π, π], exact for points on the torus."""
        pairs = self.coordinates(points).unflatten(1, (2, 2))
        return torch.atan2(pairs[..., 1], pairs[..., 0])

    def distance(self, points: Tensor) -> Tensor:
        """Return each point's Euclidean distance to the torus (N,), in units in which |φ| = 1."""
        coordinates = self.coordinates(points)
        to_circles = coordinates.unflatten(1, (2, 2)).norm(dim=-1) - RADIUS
        off = points.flatten(1) / self.scale - coordinates @ self.basis.flatten(1)
        return (to_circles.square().sum(1) + off.square().sum(1)).sqrt()


def in_r4() -> Torus:
    """Return the torus in R⁴."""
    return Torus(torch.eye(4))


def in_dimensions(dimensions: int, seed: int = 0) -> Torus:
    """Return the torus in `dimensions` >= 4 dimensions, under a random isometry."""
    if dimensions < 4:
        raise ValueError(f"dimensions is {dimensions}: the torus needs 4 or more")
    generator = torch.Generator().manual_seed(seed)
    q, _ = torch.linalg.qr(torch.randn(dimensions, 4, generator=generator, dtype=torch.float64))
    return Torus(q.T.float().contiguous())


def as_volumes(size: int) -> Torus:
    """Return 4-channel volumes (4, n, n, n), mean square 1: a wave along the first axis in channels
    0 and 1, one along the second in channels 2 and 3, whose phases are the two angles.
    """
    if size < 4:
        raise ValueError(f"size is {size}: a wave needs 4 voxels or more")
    phase = 2 * math.pi * torch.arange(size, dtype=torch.float64) / size
    along = [
        phase.reshape(-1, 1, 1).expand(size, size, size),
        phase.reshape(1, -1, 1).expand(size, size, size),
    ]
    basis = torch.zeros(4, 4, size, size, size, dtype=torch.float64)

    for k, p in enumerate(
        along
    ):  # cos(p + θ) = cos θ cos p - sin θ sin p; sin(p + θ) = cos θ sin p + sin θ cos p
        basis[2 * k, 2 * k], basis[2 * k, 2 * k + 1] = p.cos(), p.sin()
        basis[2 * k + 1, 2 * k], basis[2 * k + 1, 2 * k + 1] = -p.sin(), p.cos()

    basis /= basis.flatten(1).norm(dim=1).reshape(4, 1, 1, 1, 1)
    return Torus(basis.float(), scale=math.sqrt(4 * size**3))
