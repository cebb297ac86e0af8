"""Pictures of prepared volumes and their lesions, for contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuromf.data.lesion_file import read_lesion
from neuromf.data.reading import picture, read_volume
from neuromf.data.volume import VolumeError, Voxels
from neuromf.reporting.slices import Picture, slices

DIMMED = 0.5  # of the grey values beside a lesion, which is white
LONGEST = 128  # voxels per side that are drawn


def pair_picture(path: Path, lesion: Path) -> Picture:
    """Return three slices of a volume through most of its lesion, above the same slices with the
    lesion in white; where there is no lesion to be seen, that of the volume alone.
    """
    try:
        voxels, mask = read_volume(path).voxels, read_lesion(lesion).voxels
    except VolumeError:
        return picture(path)
    if not mask.any():
        return picture(path)

    at = fullest(mask)
    marked = np.where(mask > 0, np.float32(1), DIMMED * voxels)
    drawn = np.concatenate([slices(voxels, at), slices(marked, at)])
    step = max(1, -(-max(voxels.shape) // LONGEST))
    return np.ascontiguousarray(drawn[::step, ::step])


def fullest(mask: Voxels) -> tuple[int, int, int]:
    """Return the indices of the three planes that hold most of a mask."""
    x, y, z = (int(mask.sum(axis=tuple({0, 1, 2} - {a})).argmax()) for a in range(3))
    return x, y, z
