"""One resampling instead of several: smoothing, interpolation, crop and padding as one small
matrix per axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from neuromf.data.volume import Affine, Volume, Voxels

# an affine between two grids with smaller off-diagonal parts acts on each axis alone
ALIGNED = 1e-4
GROWTH = 3  # an intermediate volume may be this many times the larger of input and output


@dataclass(frozen=True)
class Grid:
    """Where voxels lie: shape (D, H, W) and the affine (4, 4) from indices to RAS+ millimetres."""

    shape: tuple[int, int, int]
    affine: Affine


def grid_of(volume: Volume) -> Grid:
    """Return the grid that a volume lies on."""
    d, h, w = volume.voxels.shape
    return Grid((d, h, w), volume.affine)


def resample(volume: Volume, grid: Grid, smooth: bool = True) -> Volume:
    """Return `volume` on another grid by trilinear interpolation, 0 outside.

    Where voxels grow, a Gaussian first lowers the resolution, so that nothing aliases;
    `smooth=False` omits it.
    """
    step = np.linalg.inv(volume.affine) @ grid.affine  # grid indices -> volume indices
    size = np.asarray(volume.spacing)
    new_size = np.linalg.norm(grid.affine[:3, :3], axis=0)
    scale = np.abs(step[:3, :3])
    if (scale - np.diag(np.diag(scale))).max() <= ALIGNED * scale.max():
        sigmas = resolution_sigmas(size, new_size) if smooth else np.zeros(3)
        matrices = [
            axis_matrix(volume.voxels.shape[a], grid.shape[a], step[a, 3], step[a, a], sigmas[a])
            for a in range(3)
        ]
        return Volume(_apply(volume.voxels, matrices), grid.affine, volume.notes)

    voxels = volume.voxels
    if smooth:
        # 1 where the grids are turned, not scaled
        along = np.linalg.norm(step[:3, :3] / new_size, axis=1) * size
        voxels = ndimage.gaussian_filter(
            voxels, resolution_sigmas(size, new_size.max() * np.clip(along, 0, 1)), mode="constant"
        )

    turned = ndimage.affine_transform(
        voxels, step[:3, :3], step[:3, 3], grid.shape, order=1, mode="constant"
    )
    return Volume(turned.astype(np.float32, copy=False), grid.affine, volume.notes)


def nearest(volume: Volume, grid: Grid) -> Volume:
    """Return `volume` on another grid, each voxel that of the nearest centre, 0 outside, so that no
    new values arise.
    """
    step = np.linalg.inv(volume.affine) @ grid.affine  # grid indices -> volume indices
    d, h, w = grid.shape
    plane = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), axis=-1)
    within = plane @ step[:3, 1:3].T + step[:3, 3]  # (h, w, 3) indices of the first plane
    out = np.zeros(grid.shape, np.float32)

    for i in range(d):
        # rounding to 1e-6 voxels first: ties fall to one side along the whole axis
        position = np.round(within + i * step[:3, 0], 6)
        index = np.floor(position + 0.5).astype(np.int64)
        seen = ((index >= 0) & (index < volume.voxels.shape)).all(axis=-1)
        x, y, z = index[seen].T
        out[i][seen] = volume.voxels[x, y, z]

    return Volume(out, grid.affine, volume.notes)


def axis_matrix(n: int, m: int, start: float, step: float, sigma: float) -> NDArray[np.float32]:
    """Return the (m, n) matrix that smooths n samples by `sigma` samples and reads them at start +
    step * i, linearly.

    Samples beyond both ends count as 0.
    """
    position = start + step * np.arange(m)
    first = np.floor(position).astype(np.int64)
    reach = max(round(4 * sigma), 1) if sigma > 0 else 0
    matrix = np.zeros((m, n), np.float32)
    samples = first[:, None] + np.arange(-reach, reach + 2)  # (m, band): all that a row reads
    weight = np.zeros(samples.shape)
    for sample in (first, first + 1):  # linear interpolation reads two smoothed samples
        share = np.clip(1 - np.abs(position - sample), 0, None) * ((sample >= 0) & (sample < n))
        radius = samples - sample[:, None]
        weight += share[:, None] * (gaussian(radius, sigma) if sigma > 0 else radius == 0)

    row, column = np.nonzero((samples >= 0) & (samples < n))
    matrix[row, samples[row, column]] = weight[row, column]
    return matrix


def gaussian(radius: NDArray[np.int_], sigma: float) -> NDArray[np.float64]:
    """Return the weights of a Gaussian integrated over each sample, for distances in samples."""
    width = sigma * math.sqrt(2)
    cut = np.abs(radius) <= max(round(4 * sigma), 1)
    return np.where(
        cut, 0.5 * (special.erf((radius + 0.5) / width) - special.erf((radius - 0.5) / width)), 0.0
    )


def isotropic_grid(
    volume: Volume, spacing: float, shape: tuple[int, int, int], centre: NDArray[np.float64]
) -> Grid:
    """Return a grid of `spacing` mm and `shape` along the volume's own axes, with `centre` (voxel
    indices) in its middle.

    It lies on the lattice of the volume's first voxel, so equal scans get equal lattices. Sheared
    axes are made orthogonal (the nearest rotation), so that voxels are cubes.
    """
    u, _, vt = np.linalg.svd(volume.affine[:3, :3] / np.asarray(volume.spacing))
    affine = np.eye(4)
    affine[:3, :3] = (u @ vt) * spacing
    affine[:3, 3] = volume.affine[:3, 3]
    middle = np.linalg.inv(affine) @ volume.affine @ np.append(centre, 1.0)
    first = np.rint(middle[:3] - (np.asarray(shape) - 1) / 2)
    affine[:3, 3] = (affine @ np.append(first, 1.0))[:3]
    return Grid(shape, affine)


def resolution_sigmas(
    size: NDArray[np.float64], new_size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the Gaussian, in voxels of the source, that turns a resolution of `size` mm FWHM
    into `new_size`.
    """
    return np.sqrt(np.clip(new_size**2 - size**2, 0, None) / (8 * math.log(2))) / size


def _apply(voxels: Voxels, matrices: list[NDArray[np.float32]]) -> Voxels:
    """Return the voxels with each axis multiplied by its matrix; only samples that some row
    reads are touched.
    """
    used = [np.flatnonzero(m.any(axis=0)) for m in matrices]
    if any(len(u) == 0 for u in used):
        return np.zeros([len(m) for m in matrices], np.float32)
    window = [slice(u[0], u[-1] + 1) for u in used]
    out = voxels[window[0], window[1], window[2]]
    order = _order(out.shape, [len(m) for m in matrices])
    out = out.transpose(order)
    for axis in order:
        # the new axis comes last
        out = np.tensordot(out, matrices[axis][:, window[axis]], axes=(0, 1))
    return np.ascontiguousarray(out.transpose(np.argsort(order)), dtype=np.float32)


def _order(before: tuple[int, ...], after: list[int]) -> tuple[int, ...]:
    """Return the order in which axes of these lengths are resampled: as they come, unless that
    needs too much memory.

    If one axis grows before another shrinks, the intermediate volume is larger than both ends; then
    axes that shrink go first.
    """
    largest = max(after[0] * before[1] * before[2], after[0] * after[1] * before[2])
    if largest <= GROWTH * max(math.prod(before), math.prod(after)):
        return 0, 1, 2
    first, second, third = sorted(range(3), key=lambda axis: after[axis] / before[axis])
    return first, second, third
