import numpy as np

from neuromf.data.volume import Volume
from support import EGG_CENTRE


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def ball(grid: Volume, radius=12.0, centre=(20.0, 10.0, 5.0)) -> Volume:
    """A lesion on the voxels of a volume: a ball, mm from the middle of the egg."""
    affine, shape = grid.affine, grid.voxels.shape
    points = np.tensordot(affine[:3, :3], np.indices(shape), axes=(1, 0))
    away = points + (affine[:3, 3] - EGG_CENTRE - np.array(centre))[:, None, None, None]
    return Volume(((away**2).sum(0) < radius**2).astype(np.float32), affine)
