"""The file of a lesion mask beside its prepared volume: NAME_lesion.nii.gz, voxels 0 and 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neuromf.data.reading import read_labels
from neuromf.data.volume import Volume, VolumeError, refuse_values, volume_sha256, write_mask
from neuromf.runtime.records import read_json_object


def lesion_path(folder: Path, name: str) -> Path:
    """Return the file of a volume's lesion mask."""
    return folder / f"{name}_lesion.nii.gz"


def save_lesion(path: Path, volume: Volume, lesion: Volume) -> dict[str, Any]:
    """Write the lesion mask of a volume and return what the volume's record says of it.

    Raises VolumeError for a mask on another grid than the volume's, or of values but 0 and 1.
    """
    same = lesion.voxels.shape == volume.voxels.shape
    if not (same and np.allclose(lesion.affine, volume.affine, atol=1e-3)):
        raise VolumeError(
            f"{path}: the lesion mask has {told_grid(lesion)}, its volume {told_grid(volume)}: one "
            "grid for both is needed"
        )

    write_mask(path, lesion)
    return {"lesion_sha256": volume_sha256(path), "lesion_ml": lesion_ml(lesion)}


def remove_lesion(folder: Path, name: str) -> None:
    """Delete the lesion mask that a volume's record of an earlier run names, as it was written;
    any other file is somebody's own and stays.
    """
    try:
        sha256 = read_json_object(folder / f"{name}.json").get("lesion_sha256")
    except (OSError, ValueError):
        return
    path = lesion_path(folder, name)
    if sha256 and path.is_file() and volume_sha256(path) == sha256:
        path.unlink()


def read_lesion(path: Path) -> Volume:
    """Return the lesion mask in a file that `save_lesion` wrote. Raises VolumeError if it is
    missing or damaged.
    """
    if not path.is_file():
        raise VolumeError(f"{path}: the lesion mask is missing: prepare it again with --resume")
    mask = read_labels(path)
    refuse_values(path, mask)
    return mask


def lesion_ml(mask: Volume) -> float:
    """Return the volume of a mask, ml, to four decimals."""
    return round(float(mask.voxels.sum(dtype=np.float64)) * mask.voxel_ml, 4)


def told_grid(volume: Volume) -> str:
    """Return a volume's shape, voxel size and place in words."""
    shape = " x ".join(map(str, volume.voxels.shape))
    size = " x ".join(f"{s:.3g}" for s in volume.spacing)
    centre = volume.affine @ [*(np.asarray(volume.voxels.shape) - 1) / 2, 1.0]
    place = ", ".join(f"{c:.1f}" for c in centre[:3])
    return f"{shape} voxels of {size} mm with their centre at ({place}) mm"
