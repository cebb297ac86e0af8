"""What is measured of a lesion: its size and shape, its contrast to what surrounds it, and where it
lies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from neuromf.data.volume import Volume
from neuromf.metrics.masks import Points, aligned, border_of

VERSION = 1  # raised when a measurement changes, so that kept ones are not mixed up
NUMBERS = ("ml", "components", "sphericity", "elongation", "contrast", "left")
SHELL = (2.0, 6.0)  # mm from the lesion: what surrounds it
BINS = 64  # of histograms of intensities in [0, 1]
BLOCK_MM = 8.0  # side of the blocks, about, in which places are counted
TOUCHING = np.ones((3, 3, 3), bool)  # voxels that share a corner belong to one component

Mask = NDArray[np.bool_]
Window = tuple[slice, ...]


@dataclass(frozen=True)
class MeasuredLesion:
    """The lesion mask of one volume, measured. Of an empty mask there are volume and number of
    components, both 0, and the rest is NaN or empty.
    """

    numbers: dict[str, float]  # those of NUMBERS; ml, share of the lesion in the left half, ...
    inside: Tensor  # (BINS,) shares of the lesion's voxels by intensity
    around: Tensor  # (BINS,) those of the shell
    place: Tensor  # (d, h, w) voxels of the lesion in blocks
    brain: Tensor  # (d, h, w) voxels of the brain in the same blocks
    points: Points  # (V, 3)
    spacing: tuple[float, ...]  # mm

    @property
    def empty(self) -> bool:
        """Return True if there is no lesion."""
        return not len(self.points)

    @cached_property
    def border(self) -> Points:
        """The voxels at its border (B, 3)."""
        return border_of(self.points)

    @cached_property
    def aligned(self) -> Points:
        """Its voxels, the centre of gravity at the origin."""
        return aligned(self.points)

    @cached_property
    def aligned_border(self) -> Points:
        """The border of those."""
        return border_of(self.aligned)

    def tensors(self) -> dict[str, Tensor]:
        """Return what `from_tensors` takes, as a cache keeps it."""
        return {
            "numbers": torch.tensor([self.numbers[name] for name in NUMBERS], dtype=torch.float64),
            "inside": self.inside,
            "around": self.around,
            "place": self.place,
            "brain": self.brain,
            "points": torch.from_numpy(self.points.astype(np.int16)),
            "spacing": torch.tensor(self.spacing, dtype=torch.float64),
        }


def from_tensors(kept: dict[str, Tensor]) -> MeasuredLesion:
    """Return the lesion of some tensors."""
    return MeasuredLesion(
        numbers=dict(zip(NUMBERS, kept["numbers"].tolist(), strict=True)),
        **{name: kept[name] for name in ("inside", "around", "place", "brain")},
        points=kept["points"].numpy().astype(np.int64),
        spacing=tuple(kept["spacing"].tolist()),
    )


def measure_lesion(volume: Volume, mask: Mask) -> MeasuredLesion:
    """Return what is measured of the lesion `mask` (D, H, W) in a volume in [0, 1], RAS, whose
    voxels above 0 are brain.
    """
    brain = volume.voxels > 0
    around = shell(mask, volume.spacing) & brain
    ml = float(mask.sum()) * volume.voxel_ml
    numbers = dict.fromkeys(NUMBERS, math.nan) | {"ml": ml, "components": 0.0}

    if mask.any():
        labels, count = ndimage.label(mask, TOUCHING)
        # the shape of the largest component: that of all together would reflect their number
        largest = labels == 1 + np.bincount(labels.ravel())[1:].argmax()
        numbers |= {
            "components": float(count),
            "sphericity": sphericity(largest, volume.spacing),
            "elongation": elongation(np.argwhere(largest), volume.spacing),
            "contrast": contrast(volume.voxels[mask], volume.voxels[around]),
            "left": left_share(mask, brain),
        }

    blocks = blocks_of(volume.spacing)
    return MeasuredLesion(
        numbers=numbers,
        inside=histogram(volume.voxels[mask]),
        around=histogram(volume.voxels[around]),
        place=in_blocks(mask, blocks),
        brain=in_blocks(brain, blocks),
        points=np.argwhere(mask),
        spacing=volume.spacing,
    )


def shell(mask: Mask, spacing: Sequence[float]) -> Mask:
    """Return the voxels whose centres are 2 to 6 mm from the nearest voxel of a mask."""
    out = np.zeros_like(mask)
    if not mask.any():
        return out

    window = window_around(mask, [math.ceil(SHELL[1] / s) for s in spacing])
    distance = ndimage.distance_transform_edt(~mask[window], sampling=spacing)
    out[window] = (distance >= SHELL[0]) & (distance <= SHELL[1])
    return out


def window_around(mask: Mask, margin: Sequence[int]) -> Window:
    """Return the smallest box that holds a mask, with `margin` voxels around it."""
    (found,) = ndimage.find_objects(mask.astype(np.uint8))
    return tuple(
        slice(max(part.start - m, 0), part.stop + m) for part, m in zip(found, margin, strict=True)
    )


def sphericity(mask: Mask, spacing: Sequence[float]) -> float:
    """Return the surface of a ball of a mask's volume over the mask's own, which is that of its
    voxels' faces: 0.67 for a large ball, 0.81 for a cube, less for anything thin or ragged.
    """
    d, h, w = spacing
    padded = np.pad(mask[window_around(mask, (0, 0, 0))], 1).astype(np.int8)
    surface = sum(
        np.abs(np.diff(padded, axis=axis)).sum() * face
        for axis, face in enumerate((h * w, d * w, d * h))
    )
    volume = int(mask.sum()) * d * h * w
    return math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / float(surface)


def elongation(points: Points, spacing: Sequence[float]) -> float:
    """Return the ratio of the longest to the shortest principal axis of some voxels (V, 3): 1 for a
    ball and a cube.
    """
    sides = np.asarray(spacing)
    at = (points - points.mean(0)) * sides
    # a voxel is a box, not a point: a flat lesion has the thickness of one
    spread = at.T @ at / len(points) + np.diag(sides**2) / 12
    low, *_, high = np.linalg.eigvalsh(spread)
    return float(np.sqrt(high / low))


def contrast(inside: NDArray[np.float32], around: NDArray[np.float32]) -> float:
    """Return the mean of a lesion over that of its shell, NaN where there is no shell."""
    if not len(around):
        return math.nan
    return float(inside.mean(dtype=np.float64) / around.mean(dtype=np.float64))


def left_share(mask: Mask, brain: Mask) -> float:
    """Return the share of a lesion in the left half of the brain, in RAS order. The plane between
    the halves goes through the brain's centre of gravity.
    """
    if not brain.any():
        return math.nan
    across = np.arange(len(mask))
    middle = np.average(across, weights=brain.sum((1, 2)))
    of_left = np.where(across == middle, 0.5, across < middle)
    return float(np.average(of_left, weights=mask.sum((1, 2))))


def histogram(values: NDArray[np.float32]) -> Tensor:
    """Return shares (BINS,) of intensities in [0, 1], zeros where there is none."""
    counts = np.histogram(values, BINS, (0, 1))[0]
    return torch.from_numpy(counts / max(counts.sum(), 1))


def blocks_of(spacing: Sequence[float]) -> list[int]:
    """Return the number of voxels of a block along each axis."""
    return [max(1, round(BLOCK_MM / s)) for s in spacing]


def in_blocks(mask: Mask, blocks: Sequence[int]) -> Tensor:
    """Return the number of voxels of a mask in blocks of so many voxels along each axis."""
    padded = np.pad(mask, [(0, -n % b) for n, b in zip(mask.shape, blocks, strict=True)])
    d, h, w = (n // b for n, b in zip(padded.shape, blocks, strict=True))
    parts = padded.reshape(d, blocks[0], h, blocks[1], w, blocks[2])
    return torch.from_numpy(parts.sum((1, 3, 5)).astype(np.float32))
