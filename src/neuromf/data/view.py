"""Fields of view: how much of a mask, or of one volume, lies in that of another."""

from __future__ import annotations

import numpy as np

from neuromf.data.foreground import Mask
from neuromf.data.resample import Grid, grid_of
from neuromf.data.volume import Affine, Volume

LEAST_OVERLAP = 0.5  # of the smaller field of view, that two grids of one space share


def overlap(one: Volume, two: Volume) -> float:
    """Return the share of a volume's field of view that lies in another's, of the two shares the
    larger: 1 where one field of view holds the other.
    """
    shares = []
    for inner, outer in ((one, two), (two, one)):
        points = np.minimum(inner.voxels.shape, 16)  # along each axis, from the first voxel on
        step = (np.asarray(inner.voxels.shape) - 1) / (points - 1)
        lattice = inner.affine @ np.diag([*step, 1.0])
        shares.append(1 - share_outside(np.ones(points, bool), lattice, grid_of(outer)))
    return max(shares)


def share_out_of_view(mask: Volume, scan: Volume) -> float:
    """Return the share of a mask's voxels above 0 that lie outside a scan's field of view; 0 for an
    empty mask.
    """
    marked = mask.voxels > 0
    return share_outside(marked, mask.affine, grid_of(scan)) if marked.any() else 0.0


def share_outside(brain: Mask, affine: Affine, grid: Grid) -> float:
    """Return the share of a mask's voxels whose centres lie outside a grid."""
    points = np.argwhere(brain).astype(np.float32)
    to_grid = (np.linalg.inv(grid.affine) @ affine).astype(np.float32)
    indices = points @ to_grid[:3, :3].T + to_grid[:3, 3]
    inside = ((indices > -0.5) & (indices < np.asarray(grid.shape, dtype=np.float32) - 0.5)).all(
        axis=1
    )
    return float(1 - inside.mean())
