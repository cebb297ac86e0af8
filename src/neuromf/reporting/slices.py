"""Pictures of volumes: three central slices, contact sheets, images embedded in a page."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from neuromf.runtime.files import atomic

Picture = NDArray[np.uint8]
TEXT = 14  # pixels of a line of text
PER_SHEET = 60  # subjects


def slices(
    voxels: NDArray[Any], at: Sequence[int] | None = None, low: float = 0.0, high: float = 1.0
) -> Picture:
    """Return sagittal, coronal and axial slices of a RAS volume (D, H, W) side by side: anterior to
    the right, superior up.

    In the axial slice, the person's left is at the left of the picture. `at` are voxel indices, the
    middle if not given.
    """
    d, h, w = voxels.shape
    x, y, z = at if at is not None else (d // 2, h // 2, w // 2)
    planes = [voxels[x, :, ::-1].T, voxels[:, y, ::-1].T, voxels[:, ::-1, z].T]
    tall = max(p.shape[0] for p in planes)
    padded = [_tall(p, tall) for p in planes]
    return grey(np.concatenate(padded, axis=1), low, high)


def grey(image: NDArray[Any], low: float = 0.0, high: float = 1.0) -> Picture:
    """Return an image as 8-bit grey, `low` black and `high` white."""
    scaled = (np.nan_to_num(np.asarray(image, dtype=np.float32)) - low) / max(high - low, 1e-12)
    return np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def sheet(
    pictures: Sequence[Picture], labels: Sequence[str], columns: int = 3, scale: int = 1
) -> Image.Image:
    """Return one image of all pictures, with a label under each."""
    wide = max(p.shape[1] for p in pictures) * scale
    tall = max(p.shape[0] for p in pictures) * scale + TEXT
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    canvas = Image.new("L", (columns * (wide + 4), rows * (tall + 4)), 0)
    draw = ImageDraw.Draw(canvas)

    for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = (index % columns) * (wide + 4), (index // columns) * (tall + 4)
        image = Image.fromarray(picture)
        canvas.paste(image.resize((image.width * scale, image.height * scale)), (left, top))
        draw.text(
            (left + 2, top + tall - TEXT), label.encode("ascii", "replace").decode(), fill=200
        )

    return canvas


def save(path: Path, image: Image.Image | Picture) -> None:
    """Write a PNG atomically."""
    with atomic(path) as temporary:
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(temporary)


def contact_sheets(
    folder: Path, pictures: Iterable[Picture], labels: Sequence[str], name: str = "contact"
) -> list[Path]:
    """Write contact sheets of up to 60 subjects each, contact.png, contact-2.png ...,
    and return them.
    """
    written = []
    rest = iter(pictures)
    for start in range(0, len(labels), PER_SHEET):
        part = labels[start : start + PER_SHEET]
        path = folder / (f"{name}-{start // PER_SHEET + 1}.png" if start else f"{name}.png")
        save(path, sheet(list(itertools.islice(rest, len(part))), part))
        written.append(path)
    return written


def _tall(plane: NDArray[Any], tall: int) -> NDArray[Any]:
    above = (tall - plane.shape[0]) // 2
    return np.pad(plane, ((above, tall - plane.shape[0] - above), (0, 0)))
