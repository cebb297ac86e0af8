"""Simulated lesions beside the masks of real ones: volume, pieces, place and contrast.

`python benchmarks/lesions.py VOLUMES REAL [--n 52] [--out FILE]`. VOLUMES is what `prepare`
wrote from T1w scans; each of its training subjects gets a dysplasia and MS-like lesions, in T1w
and FLAIR-like. REAL holds `*_mask.nii.gz` with images of the same name, and `masks_only` in MNI152
space. Places are taken in MNI152 space, by an affine registration, for all masks alike.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from machine import hardware
from neuromf.data.cohort import read_cohort
from neuromf.data.foreground import Mask
from neuromf.data.preprocess import Preprocessing, preprocess, scale
from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid, resample
from neuromf.data.template import place_brain
from neuromf.data.volume import Affine, Volume
from neuromf.features.networks import coarse_template
from neuromf.phantoms.anatomy import Anatomy, find_anatomy
from neuromf.phantoms.flair import HEADROOM, flair_like
from neuromf.phantoms.lesion_config import Contrast, Kind, LesionConfig
from neuromf.phantoms.lesions import add_lesion
from neuromf.runtime.files import write_json
from neuromf.runtime.randomness import Purpose, numpy_generator
from neuromf.segmentation.tissue import brain_mask, rough_place

STEPS = Preprocessing(spacing=2.0, shape=(88, 104, 88))
WHERE = ("white matter", "cortex", "deep grey", "elsewhere")
CORNERS = np.ones((3, 3, 3), bool)
KINDS: tuple[Kind, ...] = ("fcd", "ms")
CONTRASTS: tuple[Contrast, ...] = ("T1w", "FLAIR")
SHELL_MM = (4.0, 10.0)  # from a lesion: what it is compared with
DARK = 0.6  # of the median of the brain: fluid, which no lesion is compared with


class Case(NamedTuple):
    """A lesion mask of one brain."""

    group: str
    mask: Mask
    affine: Affine
    to_template: Affine  # RAS+ mm to those of MNI152
    ml: float
    images: dict[str, NDArray[np.float32]]  # contrast -> voxels on the mask's grid
    seconds: dict[str, float]  # of CPU, for simulated ones


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("volumes", type=Path)
    arguments.add_argument("real", type=Path)
    arguments.add_argument("--n", type=int, default=52)
    arguments.add_argument("--out", type=Path, default=None)
    chosen = arguments.parse_args()

    atlas = find_anatomy(coarse_template())
    rows: dict[str, list[dict[str, Any]]] = {}
    cases = itertools.chain(real_cases(chosen.real), simulated_cases(chosen.volumes, chosen.n))
    for case in cases:
        rows.setdefault(case.group, []).append(measure(case, atlas))
        print(case.group, rows[case.group][-1], flush=True)

    results = {group: summary(found) for group, found in rows.items()}
    for group, values in results.items():
        print(group, values)
    if chosen.out:
        write_json(chosen.out, {"hardware": hardware(), "groups": results})


def real_cases(folder: Path) -> Iterator[Case]:
    """Yield the masks with FLAIR images, and those in MNI152 space, prepared at 2 mm."""
    for path in sorted(folder.glob("*_mask.nii.gz")):
        stem = path.name.removesuffix("_mask.nii.gz")
        images = {c: folder / f"{stem}_{c}.nii.gz" for c in CONTRASTS}
        if not images["FLAIR"].is_file():
            continue
        prepared = {
            contrast: preprocess(above_zero(read_volume(file)), STEPS)[0]
            for contrast, file in images.items()
            if file.is_file()
        }
        grid = prepared["FLAIR"]
        start = rough_place(brain_mask(grid), grid.affine)
        yield Case(
            "MS, changed" if "long" in stem else "MS",
            *at_2mm(read_volume(path), grid),
            np.linalg.inv(place_brain(grid, start)).astype(np.float64),
            whole_ml(read_volume(path)),
            {contrast: volume.voxels for contrast, volume in prepared.items()},
            {},
        )

    for path in sorted((folder / "masks_only").glob("*_mask.nii.gz")):
        mask = read_volume(path)
        yield Case("stroke", *at_2mm(mask, coarse_template()), np.eye(4), whole_ml(mask), {}, {})


def above_zero(volume: Volume) -> Volume:
    """Return a volume without the small negative values that its source's resampling left."""
    return Volume(np.clip(volume.voxels, 0, None), volume.affine)


def whole_ml(mask: Volume) -> float:
    """Return the volume of a mask on its own grid."""
    return float((mask.voxels > 0.5).sum()) * mask.voxel_ml


def at_2mm(mask: Volume, grid: Volume) -> tuple[Mask, Affine]:
    """Return a mask on a grid of 2 mm, where at least half a voxel is in it."""
    d, h, w = grid.voxels.shape
    binary = Volume((mask.voxels > 0.5).astype(np.float32), mask.affine)
    return resample(binary, Grid((d, h, w), grid.affine)).voxels >= 0.5, grid.affine


def simulated_cases(volumes: Path, n: int) -> Iterator[Case]:
    """Yield a dysplasia and MS-like lesions in each of n training subjects."""
    entries = [entry for entry in read_cohort(volumes) if entry.split == "train"][:n]
    for index, entry in enumerate(entries):
        volume = entry.read()
        started = time.process_time()
        anatomy = find_anatomy(volume)
        found = time.process_time() - started
        mapped, _ = scale(flair_like(volume, anatomy.means), 99.5)
        healthy: dict[Contrast, Volume] = {
            "T1w": volume,
            "FLAIR": Volume(mapped.voxels * np.float32(HEADROOM), volume.affine),
        }

        for kind in KINDS:
            started = time.process_time()
            drawn = {
                contrast: add_lesion(
                    healthy[contrast],
                    anatomy,
                    kind,
                    contrast,
                    LesionConfig(),
                    numpy_generator(Purpose.LESIONS, 0, index),
                )
                for contrast in CONTRASTS
            }
            painted = (time.process_time() - started) / len(drawn)
            yield Case(
                f"simulated {kind}",
                drawn["T1w"].mask > 0,
                volume.affine,
                anatomy.to_template,
                drawn["T1w"].facts["ml"],
                {contrast: lesion.volume.voxels for contrast, lesion in drawn.items()},
                {"anatomy_s": found, "lesion_s": painted},
            )


def measure(case: Case, atlas: Anatomy) -> dict[str, Any]:
    """Return the numbers of one mask: volume, pieces, place, contrast."""
    pieces, count = ndimage.label(case.mask, CORNERS)
    voxel_ml = float(abs(np.linalg.det(case.affine[:3, :3]))) / 1000
    sizes = np.bincount(pieces.ravel())[1:] * voxel_ml
    voxels = np.argwhere(case.mask)
    points = case.to_template @ case.affine @ np.c_[voxels, np.ones(len(voxels))].T
    at = np.rint((np.linalg.inv(atlas.affine) @ points)[:3]).astype(int)
    last = np.array(atlas.labels.shape).reshape(3, 1) - 1
    a, b, c = np.clip(at, 0, last)

    distance = atlas.from_ventricles[a, b, c]
    owners = pieces[tuple(voxels.T)]
    nearest = ndimage.minimum(distance, owners, range(1, count + 1)) if count else []
    row: dict[str, Any] = {
        "ml": case.ml,
        "pieces": count,
        "piece_ml": sizes.tolist(),
        "mm_to_ventricles": float(np.median(distance)) if count else np.nan,
        "piece_mm_to_ventricles": np.asarray(nearest).tolist(),
        "right": float((points[0] > 0).mean()) if count else np.nan,
    }
    row |= dict(zip(WHERE, shares(atlas, (a, b, c)), strict=True))
    contrast = {f"{c}_contrast": ratio(case, image) for c, image in case.images.items()}

    return row | contrast | case.seconds


def shares(atlas: Anatomy, at: tuple[NDArray[np.int64], ...]) -> list[float]:
    """Return the share of points in each of WHERE; the box of the nuclei goes before tissue."""
    nuclei = atlas.nuclei[at] & (atlas.labels[at] > 1)
    white, cortex = (part[at] & ~nuclei for part in (atlas.white, atlas.cortex))
    found = [float(part.mean()) if part.size else np.nan for part in (white, cortex, nuclei)]
    return [*found, 1 - sum(found)]


def ratio(case: Case, image: NDArray[np.float32]) -> float:
    """Return the mean inside a mask over the mean of the tissue around, without fluid."""
    if not case.mask.any():
        return float("nan")
    spacing = np.linalg.norm(case.affine[:3, :3], axis=0)
    away = ndimage.distance_transform_edt(~case.mask, spacing)
    tissue = image > DARK * np.median(image[image > 0])
    around = tissue & (away > SHELL_MM[0]) & (away <= SHELL_MM[1])
    return float(image[case.mask].mean() / image[around].mean())


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return for each number its median and quartiles over the masks; over pieces where a mask has
    several.
    """
    out: dict[str, Any] = {"masks": len(rows)}
    for name in dict.fromkeys(key for row in rows for key in row):
        values = np.hstack([row[name] for row in rows if name in row]).astype(float)
        values = values[np.isfinite(values)]
        quartiles = np.percentile(values, (50, 25, 75))
        out[name] = [float(f"{v:.3g}") for v in (*quartiles, values.min(), values.max())]
    return out


if __name__ == "__main__":
    main()
