"""Lesion masks beside what came back from their latents, in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from neuromf.evaluation.mask_reading import LesionMask
from neuromf.runtime.files import atomic

Mask = NDArray[np.bool_]

KEPT, MISSED, ADDED = (0.75, 0.75, 0.75), (0.85, 0.2, 0.15), (0.15, 0.45, 0.85)  # colours
AROUND = 3  # voxels shown around the lesion of a slice


def draw(path: Path, rows: Sequence[tuple[LesionMask, Mapping[str, Mask]]]) -> None:
    """Write a picture with a row for each mask: the axial slice with most of it, as it is and as
    each code returns it.
    """
    codes = list(rows[0][1])
    figure = Figure(figsize=(1.5 * (1 + len(codes)), 1.65 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), 1 + len(codes), squeeze=False)

    for label, ax in zip(("mask", *codes), grid[0], strict=True):
        ax.set_title(label, fontsize=8)
    for axes, (mask, found) in zip(grid, rows, strict=True):
        shown = [mask.voxels, *found.values()]
        window = fullest_slice(mask.voxels)
        for ax, voxels in zip(axes, shown, strict=True):
            image = compared(voxels[window], mask.voxels[window])
            ax.imshow(np.rot90(image), interpolation="nearest")
            ax.set(xticks=[], yticks=[])
        axes[0].set_ylabel(f"{mask.ml:.{0 if mask.ml >= 10 else 1}f} ml", fontsize=8)

    figure.supxlabel("grey: kept, red: missed, blue: added", fontsize=8)
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=80, format="png")


def fullest_slice(mask: Mask) -> tuple[slice, slice, int]:
    """Return the axial slice with most lesion voxels, cropped to a square around them."""
    z = int(mask.sum((0, 1)).argmax())
    ends = [np.flatnonzero(mask[:, :, z].any(axis))[[0, -1]] for axis in (1, 0)]
    side = int(max(b - a for a, b in ends)) + 1 + 2 * AROUND
    starts = [max((int(a + b) + 1 - side) // 2, 0) for a, b in ends]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side), z


def compared(found: Mask, true: Mask) -> NDArray[np.float64]:
    """Return a slice (H, W) of a mask and of what came back as one image (H, W, 3)."""
    image = np.zeros((*true.shape, 3))
    image[found & true], image[true & ~found], image[found & ~true] = KEPT, MISSED, ADDED
    return image


def spread_over_sizes(masks: Sequence[LesionMask], n: int) -> list[int]:
    """Return the indices of n masks, evenly over their sizes, the smallest first."""
    order = sorted(range(len(masks)), key=lambda i: masks[i].ml)
    places = np.linspace(0, len(order) - 1, min(n, len(order))).round().astype(int)
    return [order[place] for place in places]
