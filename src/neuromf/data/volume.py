"""A volume and its place in scanner space, and the NIfTI file that stores it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from neuromf.runtime.checksums import file_sha256
from neuromf.runtime.files import write_bytes

ENDINGS = (".nii.gz", ".nii", ".mgz", ".mgh", ".hdr")  # .hdr stands for a header and image pair
STEPS = 65535  # levels of a stored volume in [0, 1]: rounding moves a voxel by at most 7.7e-6


Voxels = NDArray[np.float32]
Affine = NDArray[np.float64]


class VolumeError(ValueError):
    """A file that cannot be used as a volume; the message says what came, what was expected
    and what to do.
    """


@dataclass(frozen=True)
class Volume:
    """Voxels (D, H, W) float32, and the affine (4, 4) that takes voxel indices to
    millimetres in RAS+ space.
    """

    voxels: Voxels
    affine: Affine
    notes: tuple[str, ...] = field(default=(), compare=False)  # what was unusual when it was read

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size along each axis, mm."""
        a, b, c = (float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))
        return a, b, c

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def __repr__(self) -> str:
        size, mm = (
            " x ".join(f"{n:g}" for n in numbers)
            for numbers in (self.voxels.shape, np.round(self.spacing, 3))
        )
        return (
            f"Volume({size} voxels of {mm} mm, values {self.voxels.min():.4g} to "
            f"{self.voxels.max():.4g})"
        )

    def to_nibabel(self) -> nib.Nifti1Image:
        """Return the volume as a NIfTI image, float32, millimetres."""
        image = nib.Nifti1Image(np.asarray(self.voxels, dtype=np.float32), self.affine)
        image.header.set_xyzt_units("mm")
        image.set_sform(self.affine, code=1)
        image.set_qform(self.affine, code=1)
        return image

    def save(self, path: Path | str) -> None:
        """Write the volume as .nii or .nii.gz, float32, atomically.

        Raises VolumeError for another ending, or NaN and Inf.
        """
        path = Path(path)
        if not path.name.endswith((".nii", ".nii.gz")):
            raise VolumeError(f"{path}: a volume is saved as .nii or .nii.gz")
        refuse_broken(path, self)
        content = self.to_nibabel().to_bytes()
        write_bytes(
            path,
            igzip.compress(content, compresslevel=1, mtime=0) if path.suffix == ".gz" else content,
        )

    def canonical(self) -> Volume:
        """Return the same volume with its axes permuted and flipped to the nearest RAS+; no voxel
        changes its value.
        """
        order = nib.orientations.io_orientation(self.affine)
        voxels = nib.orientations.apply_orientation(self.voxels, order)
        affine = self.affine @ nib.orientations.inv_ornt_aff(order, self.voxels.shape)
        return Volume(voxels, affine, self.notes)


def stem(path: Path) -> str:
    """Return a file's name without a volume's ending."""
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return path.name[: -len(ending)]
    return path.stem


def stems(paths: Sequence[Path]) -> list[str]:
    """Return the name of each file: its stem, with as many of its folders as tell it from other
    files of that stem; with its ending where these are in one folder.
    """
    stemmed = [path.with_name(stem(path)) for path in paths]
    twins = Counter(stemmed)
    whole = [p if twins[s] > 1 else s for p, s in zip(paths, stemmed, strict=True)]
    namesakes: dict[str, set[tuple[str, ...]]] = {}
    for path in whole:
        namesakes.setdefault(path.name, set()).add(path.parts)

    names = []
    for path in whole:
        own = path.parts
        others = namesakes[path.name] - {own}
        depths = range(1, len(own))
        depth = next((d for d in depths if all(o[-d:] != own[-d:] for o in others)), len(own))
        names.append(Path(*own[-depth:]).as_posix())
    return names


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume with values in [0, 1] as .nii.gz, atomically: 65536 levels, scl_slope 1/65535.

    Raises VolumeError for NaN and Inf.
    """
    refuse_broken(path, volume)
    levels = np.rint(np.clip(volume.voxels, 0, 1) * np.float32(STEPS)).astype(np.uint16)
    image = nib.Nifti1Image(levels, volume.affine)
    image.header.set_slope_inter(1 / STEPS, 0)
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    write_bytes(path, igzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def write_mask(path: Path, mask: Volume) -> None:
    """Write a mask, voxels 0 and 1, as .nii.gz of 8-bit integers, atomically. Raises VolumeError
    for any other value.
    """
    refuse_values(path, mask)
    image = nib.Nifti1Image(mask.voxels.astype(np.uint8), mask.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    write_bytes(path, igzip.compress(image.to_bytes(), compresslevel=1, mtime=0))


def refuse_values(path: Path, mask: Volume) -> None:
    """Raise VolumeError unless every voxel of a mask is 0 or 1."""
    odd = ~np.isin(mask.voxels, (0, 1))
    if odd.any():
        raise VolumeError(
            f"{path}: {int(odd.sum())} voxels are neither 0 nor 1 ({mask.voxels[odd][0]:g}, for "
            "example): threshold the mask first"
        )


def require_file(path: Path) -> None:
    """Raise VolumeError if the path is not a regular file: reading a pipe or a device
    could wait forever.
    """
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe" if path.is_fifo() else "a device or socket"
        raise VolumeError(f"{path}: is no regular file but {kind}: a file is expected")


def volume_sha256(path: Path) -> str:
    """Return the SHA-256 of a volume's file. Raises VolumeError for a pipe or a device."""
    require_file(path)
    return file_sha256(path)


def refuse_broken(path: Path, volume: Volume) -> None:
    """Raise VolumeError for a volume with NaN or Inf, which a file of integers
    could not represent.
    """
    broken = int(volume.voxels.size - np.isfinite(volume.voxels).sum())
    if broken:
        raise VolumeError(
            f"{path}: {broken} of {volume.voxels.size} voxels are NaN or Inf: it is not written"
        )


def centred_affine(shape: Sequence[int], spacing: Sequence[float]) -> Affine:
    """Return the affine (4, 4) of a RAS grid whose centre is at 0 mm."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape) - 1) / 2)
    return affine
