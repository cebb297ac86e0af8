"""Pairs of a brain image and its lesion mask, as a segmentation network is trained on them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neuromf.data.cohort import read_cohort
from neuromf.data.lesion_file import read_lesion
from neuromf.data.reading import read_volume
from neuromf.data.splits import person
from neuromf.data.volume import Volume, VolumeError
from neuromf.evaluation.lesion_files import lesion_beside
from neuromf.runtime.folders import local_path

log = logging.getLogger("neuromf")
IMAGES = "sub-*/anat/sub-*_desc-generated_*.nii.gz"  # and masks, in what `generate` wrote


@dataclass(frozen=True)
class LesionPair:
    """An image and its mask (D, H, W) on one grid of RAS axes.

    The image has mean 0 and standard deviation 1 in the brain and is 0 outside, so that sets of
    different scales can be compared.
    """

    name: str
    person: str  # see `splits.person`; of a deformed copy the person copied; empty if nobody's
    image: Tensor  # float16: sets of hundreds of pairs are kept in memory
    lesion: Tensor  # bool
    brain: Tensor  # bool
    spacing: tuple[float, float, float]  # mm


def read_pairs(folder: str, key: str) -> list[LesionPair]:
    """Return the pairs in a folder that `prepare`, `phantom` or `generate` wrote, by name; `key`
    is the setting that named it.

    Raises FileNotFoundError for another folder, VolumeError for a set without masks and for a mask
    on another grid than its image's.
    """
    path = local_path(folder)
    if (path / "manifest.csv").is_file():
        pairs = list(_of_cohort(path))
    elif any(path.glob(IMAGES)):
        pairs = list(_of_derivative(path))
    else:
        raise FileNotFoundError(
            f"{key}={folder}: holds neither a manifest.csv, as `neuromf prepare` and `phantom` "
            f"write, nor {IMAGES}, as `neuromf generate` does"
        )

    if not pairs:
        raise VolumeError(
            f"{key}={folder}: none of its images has a lesion mask: prepare it with a `lesion` "
            "column, draw phantoms with lesions=ms or fcd, or generate with a model of pairs"
        )
    return sorted(pairs, key=lambda pair: pair.name)


def _of_cohort(path: Path) -> Iterator[LesionPair]:
    entries = read_cohort(path)
    without = [entry.name for entry in entries if not entry.lesion_sha256]
    if without and len(without) < len(entries):
        log.warning("%s: %d images without a mask are left out", path, len(without))
    for entry in entries:
        lesion = entry.read_lesion()
        if lesion is not None:
            yield _pair(entry.name, person(entry.person), entry.read(), lesion)


def _of_derivative(path: Path) -> Iterator[LesionPair]:
    images = [p for p in sorted(path.glob(IMAGES)) if not p.name.endswith("_mask.nii.gz")]
    masks = [lesion_beside(image) for image in images]
    without = [p.name for p, mask in zip(images, masks, strict=True) if mask is None]
    if without and len(without) < len(images):
        raise VolumeError(
            f"{path}: {len(without)} of {len(images)} images have no mask ({without[0]} first): "
            "run generate again with --resume"
        )
    for image, mask in zip(images, masks, strict=True):
        if mask is not None:
            yield _pair(image.parent.parent.name, "", read_volume(image), read_lesion(mask))


def _pair(name: str, whose: str, image: Volume, lesion: Volume) -> LesionPair:
    image, lesion = image.canonical(), lesion.canonical()
    if image.voxels.shape != lesion.voxels.shape:
        raise VolumeError(
            f"{name}: its image has {image.voxels.shape} voxels, its mask {lesion.voxels.shape}: "
            "prepare both together"
        )
    brain = torch.from_numpy(np.ascontiguousarray(image.voxels > 0))
    voxels = torch.from_numpy(np.ascontiguousarray(image.voxels))
    inside = voxels[brain].double()
    scaled = torch.where(brain, (voxels - inside.mean()) / inside.std().clamp(min=1e-6), 0.0)
    marked = torch.from_numpy(np.ascontiguousarray(lesion.voxels > 0))
    return LesionPair(name, whose, scaled.half(), marked, brain, image.spacing)


def refuse_other_grids(sets: Mapping[str, Sequence[LesionPair]]) -> None:
    """Raise VolumeError unless all pairs of all sets have the shape and voxel size of the first."""
    pairs = [(key, pair) for key, own in sets.items() for pair in own]
    first_key, first = pairs[0]
    for key, pair in pairs:
        alike = np.allclose(pair.spacing, first.spacing, rtol=0.01)
        if pair.image.shape != first.image.shape or not alike:
            raise VolumeError(
                f"{key}: {pair.name} has {_told(pair)}, {first_key}: {first.name} has "
                f"{_told(first)}: prepare, draw and generate all sets on one grid"
            )


def _told(pair: LesionPair) -> str:
    size = " x ".join(str(n) for n in pair.image.shape)
    return f"{size} voxels of {' x '.join(f'{s:.3g}' for s in pair.spacing)} mm"
