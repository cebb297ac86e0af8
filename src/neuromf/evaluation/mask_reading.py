"""Lesion masks from files, on the grid that mask codes are tested on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.files import volumes_below, volumes_matching, written_by_us
from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid, isotropic_grid, nearest
from neuromf.data.scans import LABELS
from neuromf.data.volume import Volume, VolumeError, stem
from neuromf.runtime.folders import local_path

LESION = "_lesion.nii.gz"  # of masks in a folder that `prepare` wrote
MARGIN_MM = 12.0  # around lesions, that is kept of a grid: farther away every field is constant


@dataclass(frozen=True)
class LesionMask:
    """A lesion mask (D, H, W) on a RAS grid of cubic voxels, cropped to the lesions' surroundings,
    with sides that are multiples of a VAE's factor.
    """

    name: str
    voxels: NDArray[np.bool_]
    spacing: tuple[float, float, float]  # mm
    original_ml: float  # of the file, before resampling

    @property
    def ml(self) -> float:
        """Volume of all lesions together, ml."""
        return float(self.voxels.sum() * np.prod(self.spacing)) / 1000


def mask_files(sources: Any) -> list[Path]:
    """Return the mask files that sources name: files, patterns, folders of masks and folders that
    `prepare` wrote, one or a list of them.

    From a folder that also holds other volumes, only those named as masks are taken. Raises
    FileNotFoundError for a source without masks.
    """
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    found = [path for source in given if source for path in _files_of(str(source))]
    if not found:
        raise FileNotFoundError("masks= names no masks: masks=FOLDER, a file or a pattern")
    return list(dict.fromkeys(found))


def _files_of(source: str) -> list[Path]:
    path = local_path(source)
    if path.is_file():
        return [path]
    if path.is_dir() and written_by_us(path):
        found = sorted(path.glob(f"*{LESION}"))
        wanted = f"files *{LESION}, as `prepare` writes lesion masks,"
    elif path.is_dir():
        volumes = volumes_below(path)
        found = [p for p in volumes if LABELS.search(stem(p))] or volumes
        wanted = "volumes"
    else:
        found, wanted = volumes_matching(str(path)), "volumes"

    if not found:
        raise FileNotFoundError(f"masks={source}: no {wanted} are there")
    return found


def read_mask(path: Path, name: str, spacing: float, factor: int) -> LesionMask:
    """Return the mask in a file: RAS, cubic voxels of `spacing` mm by the nearest neighbour,
    cropped to the lesions and their surroundings, sides multiples of `factor`.

    Raises VolumeError for a file that is no binary mask, or an empty one.
    """
    volume = read_volume(path).canonical()
    lesion = lesion_value(path, volume)
    binary = Volume((volume.voxels == lesion).astype(np.float32), volume.affine)
    on_grid = nearest(binary, cubic_grid(binary, spacing)).voxels > 0
    if not on_grid.any():
        raise VolumeError(
            f"{path}: its {int(binary.voxels.sum())} lesion voxels lie between those of a grid of "
            f"{spacing:g} mm: spacing={min(volume.spacing):.2g} keeps them"
        )

    original_ml = float(binary.voxels.sum()) * volume.voxel_ml
    cropped = surroundings(on_grid, round(MARGIN_MM / spacing), factor)
    return LesionMask(name, cropped, (spacing, spacing, spacing), original_ml)


def lesion_value(path: Path, volume: Volume) -> float:
    """Return the value of lesion voxels. Raises VolumeError unless all others are 0."""
    values = np.unique(volume.voxels)
    if len(values) == 2 and values[0] == 0:
        return float(values[1])
    told = ", ".join(f"{v:g}" for v in values[:5]) + (" ..." if len(values) > 5 else "")
    raise VolumeError(
        f"{path}: holds {len(values)} values ({told}): a mask has 0 and one other; choose a label, "
        "or cut probabilities at a threshold"
    )


def cubic_grid(volume: Volume, spacing: float) -> Grid:
    """Return a grid of `spacing` mm along the volume's axes that covers it."""
    size = np.asarray(volume.voxels.shape) * np.asarray(volume.spacing)
    d, h, w = (int(n) for n in np.ceil(np.round(size / spacing, 3)))
    return isotropic_grid(volume, spacing, (d, h, w), (np.asarray(volume.voxels.shape) - 1) / 2)


def surroundings(mask: NDArray[np.bool_], margin: int, factor: int) -> NDArray[np.bool_]:
    """Return a mask cropped to its lesions with `margin` voxels around them, as far as the grid
    goes, and padded to multiples of `factor`.
    """
    (found,) = ndimage.find_objects(mask.astype(np.uint8))
    window = tuple(slice(max(part.start - margin, 0), part.stop + margin) for part in found)
    cropped = mask[window]
    return np.pad(cropped, [(0, -n % factor) for n in cropped.shape])
