"""Random smooth diffeomorphic deformations: a stationary velocity field, integrated by
scaling and squaring.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.resample import Grid, resolution_sigmas
from neuromf.data.volume import Volume, Voxels

COARSE_MM = 6.0  # the fields are smooth: they are made and integrated on this lattice
SQUARINGS = 6

Field = NDArray[np.float32]  # (3, D, H, W), mm along the axes of its grid


@dataclass(frozen=True)
class Deformation:
    """The extent of a random deformation."""

    warp_mm: float = 4.0  # root mean square length of the displacement before integration
    smooth_mm: float = 22.0  # standard deviation of the Gaussian that smooths it
    scale: float = 0.05  # standard deviation of the logarithm of the size along each axis
    rotation: float = 3.0  # standard deviation of the turn about each axis, degrees

    def __post_init__(self) -> None:
        values = self.warp_mm, self.smooth_mm, self.scale, self.rotation
        if not all(map(math.isfinite, values)) or min(values) < 0 or self.smooth_mm < COARSE_MM:
            raise ValueError(
                f"{self}: finite numbers, nothing negative, smooth_mm at least {COARSE_MM:g}"
            )
        if self.scale > 1 or self.rotation > 180:
            raise ValueError(
                f"{self}: scale up to 1 (the logarithm of a size), rotation up to 180 degrees"
            )
        if self.warp_mm > self.smooth_mm:
            raise ValueError(
                f"warp_mm {self.warp_mm} is larger than smooth_mm "
                f"{self.smooth_mm}: anatomy would be torn"
            )


def random_points(
    grid: Grid, deformation: Deformation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return, for each voxel of a grid, the point (3, D, H, W) in RAS+ millimetres from which a
    random deformation reads it.

    Rotation and scaling are about the centre of the grid.
    """
    indices = np.indices(grid.shape, dtype=np.float32)
    matrix, offset = grid.affine[:3, :3].astype(np.float32), grid.affine[:3, 3].astype(np.float32)
    points = np.tensordot(matrix, indices, axes=(1, 0)) + offset[:, None, None, None]
    # the field's components are along the grid's axes
    along = matrix / np.linalg.norm(matrix, axis=0)
    points += np.tensordot(along, random_field(grid, deformation, rng), axes=(1, 0))
    middle = (matrix @ ((np.asarray(grid.shape, dtype=np.float32) - 1) / 2) + offset)[
        :, None, None, None
    ]
    size = np.diag(np.exp(rng.normal(0, deformation.scale, 3)))
    turn = _rotation(np.deg2rad(rng.normal(0, deformation.rotation, 3)))
    turned = np.tensordot((turn @ size).astype(np.float32), points - middle, axes=(1, 0)) + middle

    return turned.astype(np.float32, copy=False)


def random_field(grid: Grid, deformation: Deformation, rng: np.random.Generator) -> Field:
    """Return a diffeomorphic displacement (3, D, H, W) on a grid, mm along the grid's axes."""
    spacing = float(np.linalg.norm(grid.affine[:3, 0]))
    shape = [max(int(np.ceil(n * spacing / COARSE_MM)), 2) for n in grid.shape]
    sigma = deformation.smooth_mm / COARSE_MM
    velocity = np.stack(
        [
            ndimage.gaussian_filter(rng.standard_normal(shape), sigma, mode="nearest")
            for _ in range(3)
        ]
    )
    length = float(np.sqrt((velocity**2).sum(axis=0).mean()))
    factors = np.array([n / m for n, m in zip(grid.shape, shape, strict=True)])
    velocity = (velocity * (deformation.warp_mm / max(length, 1e-12))).astype(np.float32)
    displacement = integrate(velocity, factors * spacing)

    return np.stack(
        [ndimage.zoom(d, factors, order=1, mode="nearest", grid_mode=True) for d in displacement]
    )


def integrate(velocity: Field, spacing: NDArray[np.float64]) -> Field:
    """Return the displacement exp(v) - id of a stationary velocity field (3, D, H, W), both in mm
    (Arsigny 2006).

    `spacing` (3,) is the lattice's, mm; components are along its axes.
    """
    displacement = velocity / 2**SQUARINGS
    identity = np.indices(velocity.shape[1:], dtype=np.float32)
    size = spacing.astype(np.float32).reshape(3, 1, 1, 1)
    for _ in range(SQUARINGS):
        there = identity + displacement / size
        displacement = displacement + np.stack(
            [ndimage.map_coordinates(d, there, order=1, mode="nearest") for d in displacement]
        )
    return displacement


def lowered(volume: Volume, resolution: float) -> Volume:
    """Return a volume at a resolution of `resolution` mm, on its own grid."""
    sigmas = resolution_sigmas(np.asarray(volume.spacing), np.full(3, resolution))
    if not sigmas.any():
        return volume
    voxels = ndimage.gaussian_filter(volume.voxels, sigmas, mode="constant")
    return Volume(voxels, volume.affine)


def read_at(volume: Volume, points: NDArray[np.float32], order: int = 1) -> Voxels:
    """Return the values of a volume at points (3, ...) in RAS+ mm; 0 outside."""
    back = np.linalg.inv(volume.affine)
    where = (
        np.tensordot(back[:3, :3].astype(np.float32), points, axes=(1, 0))
        + back[:3, 3].astype(np.float32)[:, None, None, None]
    )

    return ndimage.map_coordinates(volume.voxels, where, order=order, mode="constant").astype(
        np.float32, copy=False
    )


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [i for i in range(3) if i != axis]
        one = np.eye(3)
        one[a, a] = one[b, b] = np.cos(angle)
        one[a, b], one[b, a] = -np.sin(angle), np.sin(angle)
        turn = one @ turn
    return turn
