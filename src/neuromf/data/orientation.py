"""Where a file's header says that its voxels lie."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from neuromf.data.volume import Affine, VolumeError

VOXEL_MM = (0.05, 20.0)  # sizes beyond are another unit, or no header


def header_affine(
    path: Path, image: Any, shape: tuple[int, ...], assume: str, notes: list[str]
) -> Affine:
    """Return the affine (4, 4) of a nibabel image, sform before qform; `assume`, axis codes such
    as LAS, is used where the header has neither. What is unusual is added to `notes`.

    Raises VolumeError if there is none, or it is singular or not finite.
    """
    affine = np.asarray(image.affine, dtype=np.float64)

    if isinstance(image, nib.Nifti1Pair):
        qform, sform = image.get_qform(coded=True)[0], image.get_sform(coded=True)[0]
        if qform is None and sform is None:
            affine = _assumed(path, image, shape, assume)
            notes.append(f"neither qform nor sform: taken as {assume}")
        elif qform is not None and sform is not None:
            gap = largest_gap(qform, sform, shape)
            if gap > 1:
                notes.append(f"qform and sform differ by up to {gap:.1f} mm: the sform is used")
    elif not isinstance(image, nib.MGHImage):
        affine = _assumed(path, image, shape, assume)  # Analyze 7.5

    _refuse_odd(path, affine)
    return affine


def largest_gap(one: Affine, two: Affine, shape: tuple[int, ...]) -> float:
    """Return how far apart two affines (4, 4) place a corner of a volume of this shape at most,
    mm.
    """
    corners = np.array([[*c, 1.0] for c in itertools.product(*((0, n) for n in shape))])
    return float(np.linalg.norm((corners @ (one - two).T)[:, :3], axis=1).max())


def _refuse_odd(path: Path, affine: Affine) -> None:
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise VolumeError(
            f"{path}: its affine places no volume ({affine[:3].round(3).tolist()}): repair it"
        )

    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    if sizes.min() < VOXEL_MM[0] or sizes.max() > VOXEL_MM[1]:
        raise VolumeError(
            f"{path}: voxels of {' x '.join(f'{s:.3g}' for s in sizes)} mm: {VOXEL_MM[0]} to "
            f"{VOXEL_MM[1]} mm is expected; is the header in another unit?"
        )


def _assumed(path: Path, image: Any, shape: tuple[int, ...], codes: str) -> Affine:
    """Return the centred affine of an image without orientation whose axes point to `codes`."""
    if not codes:
        raise VolumeError(
            f"{path}: has neither qform nor sform, so left and right are unknown: set "
            "assume_orientation=LAS (or what is right), or repair the header"
        )

    order = nib.orientations.axcodes2ornt(tuple(codes.upper()))
    sizes = np.append(np.asarray(image.header.get_zooms()[:3], dtype=np.float64), 1.0)
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for axis, (world, sign) in enumerate(order):
        turn[int(world), axis] = sign

    affine = turn @ np.diag(sizes)
    affine[:3, 3] = -affine[:3, :3] @ ((np.asarray(shape[:3]) - 1) / 2)
    return affine
