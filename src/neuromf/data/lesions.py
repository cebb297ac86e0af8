"""A scan's lesion mask: read, checked against its scan, and brought onto the prepared grid.

A mask that cannot be used raises VolumeError, so that its scan never passes for one without
lesions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuromf.data.foreground import Mask, Region
from neuromf.data.lesion_file import lesion_ml, told_grid
from neuromf.data.orientation import largest_gap
from neuromf.data.reading import read_labels
from neuromf.data.resample import Grid, nearest
from neuromf.data.view import LEAST_OVERLAP, overlap, share_out_of_view, share_outside
from neuromf.data.volume import Affine, Volume, VolumeError, Voxels

SAME = 0.5  # of the smallest voxel side: corners that differ by less are of one grid
OUT_OF_VIEW = 0.05  # share of a lesion that may lie outside the image's field of view
OUT_OF_BRAIN = 0.5  # share of a lesion that may lie outside the brain,
NOTED = 0.1  # and the share from which on it is noted
OF_BRAIN = 0.5  # share of the brain that lesions may take up
CHANGED = 0.2  # of the lesions' volume, by which the prepared mask may differ without a note
EQUAL = 1e-3  # of the largest value, by which values may differ for scaling and rounding
SHOWN = 4  # values of a file that is no mask


@dataclass(frozen=True)
class Lesion:
    """A lesion mask in its own voxels, 0 and 1, at its place in the scan's space."""

    path: Path
    mask: Volume
    notes: tuple[str, ...] = ()


def read_scan_lesion(path: Path, scan: Volume, assume_orientation: str = "") -> Lesion:
    """Return the lesion mask of a scan, on the scan's voxels or on other voxels of the same space.

    Raises VolumeError for what is no binary 3D mask, or lies in another space.
    """
    found = read_labels(path, assume_orientation)
    mask = Volume(binary(path, found.voxels), found.affine)
    placed, notes = in_space_of(path, mask, scan)

    if not mask.voxels.any():
        notes = [*notes, "the lesion mask is empty: taken for a brain without lesions"]
    return Lesion(path, placed, (*found.notes, *notes))


def binary(path: Path, voxels: Voxels) -> Voxels:
    """Return voxels of 0 and one other, positive value as 0 and 1. Raises VolumeError for other
    voxels.
    """
    values = np.unique(voxels)
    limit = EQUAL * float(np.abs(values).max())
    marked = values[np.abs(values) > limit]

    if marked.size == values.size:
        raise VolumeError(
            f"{path}: no voxel is 0 (values {_told(values)}): a lesion mask is 0 outside the "
            "lesions"
        )
    if marked.size and (marked.min() < 0 or marked.max() - marked.min() > limit):
        raise VolumeError(
            f"{path}: is no lesion mask: besides 0 it holds {marked.size} values "
            f"({_told(marked)}), one is expected: threshold it, or keep the label of the lesions"
        )
    return (np.abs(voxels) > limit).astype(np.float32)


def _told(values: Voxels) -> str:
    return ", ".join(f"{v:g}" for v in values[:SHOWN]) + (", ..." if len(values) > SHOWN else "")


def in_space_of(path: Path, mask: Volume, scan: Volume) -> tuple[Volume, list[str]]:
    """Return a mask at its place in a scan's space, and notes. On the scan's voxels, it takes the
    scan's affine; on another grid, it keeps its own.

    Raises VolumeError if the mask lies in another space.
    """
    own, wanted = mask.canonical(), scan.canonical()
    gap = largest_gap(own.affine, wanted.affine, wanted.voxels.shape)
    if own.voxels.shape == wanted.voxels.shape:
        if gap <= SAME * min(wanted.spacing):
            return replace(own, affine=wanted.affine), []
        if np.allclose(own.spacing, wanted.spacing, rtol=0.01):
            raise VolumeError(
                f"{path}: has the scan's voxels in another place ({gap:.1f} mm apart): "
                f"{told_grid(own)}, the scan {told_grid(wanted)}: is one of the headers wrong, or "
                "is it the mask of another scan?"
            )

    apart = f"{path}: has {told_grid(own)}, the scan {told_grid(wanted)}"
    if overlap(own, wanted) < LEAST_OVERLAP:
        raise VolumeError(f"{apart}: it is of another subject or space")
    outside = share_out_of_view(own, wanted)
    if outside > OUT_OF_VIEW:
        raise VolumeError(
            f"{apart}: {100 * outside:.0f} % of the lesion lies outside the scan's field of view, "
            "so it is of another subject or space"
        )
    return own, [f"the lesion mask is on another grid ({told_grid(own)}) in the scan's space"]


def prepare_lesion(lesion: Lesion, brain: Region, grid: Grid) -> tuple[Volume, dict[str, Any]]:
    """Return a lesion mask on the grid of its prepared scan, by nearest neighbour, and a record of
    it with `lesion_notes`.

    Raises VolumeError if most of it lies outside the brain, if it covers most of the brain, or if
    nothing of it is left on the grid.
    """
    source = lesion.mask
    marked = source.voxels > 0
    ml, some = lesion_ml(source), bool(marked.any())
    outside = share_outside_brain(marked, source.affine, brain) if some else 0.0
    refuse_misplaced(lesion, outside, ml / brain_ml(brain))

    cut = share_outside(marked, source.affine, grid) if some else 0.0
    prepared = nearest(source, grid)
    if some and not prepared.voxels.any():
        raise VolumeError(
            f"{lesion.path}: nothing of its {ml:g} ml is left on the prepared grid "
            f"({told_grid(prepared)}): {100 * cut:.0f} % lies outside it, and the rest is smaller "
            "than a voxel: take a smaller preprocessing.spacing, or a larger shape"
        )

    return prepared, {
        "lesion_ml_source": ml,
        "lesion_outside_brain_percent": round(100 * outside, 2),
        "lesion_cut_percent": round(100 * cut, 3),
        "lesion_notes": [*lesion.notes, *_notes(outside, cut, ml, lesion_ml(prepared))],
    }


def refuse_misplaced(lesion: Lesion, outside: float, of_brain: float) -> None:
    """Raise VolumeError for a mask of which the share `outside` of the brain is too large, or that
    measures too large a share of the brain.
    """
    if outside > OUT_OF_BRAIN:
        raise VolumeError(
            f"{lesion.path}: {100 * outside:.0f} % of the lesion lies outside the brain: is it the "
            "mask of this scan? (if it is, another preprocessing.strip.method may keep more)"
        )
    if of_brain > OF_BRAIN:
        raise VolumeError(
            f"{lesion.path}: marks a volume of {100 * of_brain:.0f} % of the brain: is it a brain "
            "mask? That belongs in the column `mask`"
        )


def brain_ml(brain: Region) -> float:
    """Return the volume of a brain mask, ml."""
    return float(brain.mask.sum()) * float(abs(np.linalg.det(brain.affine[:3, :3]))) / 1000


def _notes(outside: float, cut: float, before: float, after: float) -> list[str]:
    notes = []
    if abs(after - before) > CHANGED * before:
        notes.append(f"the lesion measures {before:g} ml, {after:g} ml on the prepared grid")
    if outside >= NOTED:
        notes.append(f"{100 * outside:.0f} % of the lesion lies outside the brain")
    if cut > 0:
        notes.append(f"{100 * cut:.2f} % of the lesion lies outside the prepared grid")
    return notes


def share_outside_brain(lesion: Mask, affine: Affine, brain: Region) -> float:
    """Return the share of a lesion's voxels whose centres lie in no voxel of the brain."""
    points = np.argwhere(lesion)
    to_brain = np.linalg.inv(brain.affine) @ affine
    indices = np.rint(points @ to_brain[:3, :3].T + to_brain[:3, 3]).astype(np.int64)
    seen = ((indices >= 0) & (indices < brain.mask.shape)).all(axis=1)
    x, y, z = indices[seen].T
    return 1 - float(brain.mask[x, y, z].sum()) / len(points)
