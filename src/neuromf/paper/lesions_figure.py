"""Figure 7: generated pairs of image and lesion mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromf.data.reading import read_labels, read_volume
from neuromf.data.volume import stem
from neuromf.evaluation.lesion_files import lesion_beside
from neuromf.paper.booktabs import tex
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import Given, Sources, reading
from neuromf.paper.style import TEXT, VERMILION, WIDE, narrow_gaps, page
from neuromf.paper.volumes import generated

N = 6  # pairs
HEIGHT = 2.95
Planes = tuple[NDArray[np.float32], NDArray[np.bool_]]  # of an image and of its mask


def draw(sources: Sources) -> Drawn:
    """Return the figure: images above, the same with the outline of their mask below."""
    rows: Rows = []
    missing: list[Missing] = []
    caption = "Generated pairs of image and lesion mask were not run."
    with page(WIDE, HEIGHT) as figure:
        narrow_gaps(figure)
        try:
            given = sources.one("pairs")
            paths = generated(given)
            masks = [_mask(given, path) for path in paths]
            with_lesion = [(p, m) for p, m in zip(paths, masks, strict=True) if m is not None]
            if not with_lesion:
                raise MissingError(given.key, f"none of the {len(paths)} pairs has a lesion")

            grid = figure.subplots(2, N)
            rows = _draw_pairs(grid, sources, given, with_lesion[:N])
            caption = _caption(paths, len(with_lesion), len(rows))
        except MissingError as error:
            missing.append(of_error("Figure 7", error))
            draw_missing(figure.subplots(), missing[-1])
    return Drawn(7, "lesions", figure, caption, rows, missing)


def _mask(given: Given, path: Path) -> Path | None:
    """Return the mask of a generated image, None where it is empty.

    Raises MissingError where there is none.
    """
    mask = lesion_beside(path)
    if mask is None:
        raise MissingError(given.key, f"{path.name} has no lesion mask beside it")
    with reading(given):
        return mask if bool((read_labels(mask).voxels > 0).any()) else None


def _draw_pairs(grid: Any, sources: Sources, given: Given, pairs: list[tuple[Path, Path]]) -> Rows:
    rows: Rows = []
    for column in range(N):
        for axes in grid[:, column]:
            axes.set(xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set_visible(False)

        if column < len(pairs):
            image, mask = pairs[column]
            with reading(given):
                planes, z = fullest_plane(image, mask)
            _draw_pair(grid[:, column], planes)
            row = {"panel": str(column + 1), "volume": image.name, "plane": z}
            row |= {"mask": mask.name, "mask_sha256": sources.cite(given, mask).sha256}
            rows.append(row | sources.cite(given, image).cells)
    for axes, name in zip(grid[:, 0], ("image", "with mask"), strict=True):
        axes.set_ylabel(name, fontsize=TEXT)
    return rows


def fullest_plane(image: Path, mask: Path) -> tuple[Planes, int]:
    """Return the axial plane with most of the lesion, anterior up, of image and mask, and its
    number.
    """
    voxels = read_volume(image).canonical().voxels
    lesion = read_labels(mask).canonical().voxels > 0
    z = int(lesion.sum((0, 1)).argmax())
    return (voxels[:, ::-1, z].T, lesion[:, ::-1, z].T), z


def _draw_pair(column: Any, planes: Planes) -> None:
    image, mask = planes
    for axes in column:
        axes.imshow(image, vmin=0, vmax=1, cmap="gray")
    column[1].contour(mask.astype(float), levels=[0.5], colors=[VERMILION], linewidths=0.9)


def _caption(paths: list[Path], lesions: int, shown: int) -> str:
    contrast = tex(stem(paths[0]).rpartition("_")[2])
    return (
        f"Generated pairs of {contrast} image and lesion mask: the first {shown} of the {lesions} "
        f"that have a lesion, of {len(paths)} pairs. The axial plane with most of the lesion; "
        "below, the outline of the generated mask."
    )
