"""Drawing one phantom: its deformed anatomy, and its appearance in a scanner."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from neuromf.data.cohort import Entry
from neuromf.data.foreground import bounds
from neuromf.data.preprocess import scale
from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid
from neuromf.data.template import MIDDLE, mni152, mni152_mask
from neuromf.data.volume import Volume, VolumeError, Voxels
from neuromf.phantoms.anatomy import find_anatomy
from neuromf.phantoms.config import Appearance, PhantomConfig, Source
from neuromf.phantoms.deform import lowered, random_points, read_at
from neuromf.phantoms.flair import HEADROOM, flair_like
from neuromf.phantoms.labels import labelled_brain
from neuromf.phantoms.lesions import Lesion, add_lesion
from neuromf.runtime.randomness import Purpose, numpy_generator

TRIES = 20  # draws at most of a phantom that does not fit the box; of 200 first draws 28 did not


FAINT = 0.05  # of the brightest voxel: what is darker at the border is smoothing, not anatomy


SIZE = 0.92  # of a usual brain beside MNI152, which is larger than most


class Phantom(NamedTuple):
    """A phantom, and how it fits its grid."""

    volume: Volume
    redrawn: int  # earlier draws that the grid cut
    cut: bool  # True if the grid cuts it nevertheless
    lesion: Lesion | None = None  # the same volume, its mask and a record


def draw(source: Source, index: int, config: PhantomConfig) -> Phantom:
    """Return phantom number `index` of a source: the same for the same seed,
    whatever else is drawn.

    A lesion changes no voxel but its own. Raises VolumeError if the brain cannot hold it.
    """
    rng = np.random.default_rng([config.seed, index])
    shape, redrawn, cut, _ = _draw_inside(source, rng, config)
    anatomy = None
    if config.lesions != "none" or config.contrast != "T1w":
        refuse_other_contrast(source)
        anatomy = find_anatomy(shape)
    if anatomy and config.contrast == "FLAIR":
        shape = flair_like(shape, anatomy.means)

    volume = scanned(shape, config, rng)
    if anatomy is None or config.lesions == "none":
        return Phantom(volume, redrawn, cut)

    # a stream of its own: the brain is the one that is drawn without lesions
    own = numpy_generator(Purpose.LESIONS, config.seed, index)
    lesion = add_lesion(volume, anatomy, config.lesions, config.contrast, config.lesion, own)
    return Phantom(lesion.volume, redrawn, cut, lesion)


def scanned(shape: Volume, config: PhantomConfig, rng: np.random.Generator) -> Volume:
    """Return a brain as a scanner sees it: with the coil's field and noise, in [0, 1]."""
    voxels = shape.voxels * bias_field(shape, config.appearance, rng)
    brain = voxels > 0
    voxels = np.where(
        brain,
        voxels
        + np.float32(config.appearance.noise) * rng.standard_normal(voxels.shape, np.float32),
        0,
    )
    volume, _ = scale(Volume(np.clip(voxels, 0, None).astype(np.float32), shape.affine), 99.5)

    if config.contrast == "FLAIR":
        return Volume(volume.voxels * np.float32(HEADROOM), volume.affine)
    return volume


def refuse_other_contrast(source: Source) -> None:
    """Raise VolumeError if the source is prepared from scans of another contrast than T1w."""
    contrast = source.original.sidecar().get("contrast", "") if source.original else ""
    if contrast not in {"", "T1w"}:
        raise VolumeError(
            f"its contrast is {contrast}: lesions= and contrast=FLAIR need a T1w source, "
            "whose tissues tell where a lesion lies"
        )


def touched_faces(voxels: Voxels) -> dict[tuple[int, int], int]:
    """Return how many voxels of a brain lie in each outermost slice (axis, 0 or -1)
    that it reaches.
    """
    floor = FAINT * float(voxels.max())
    counts = {
        (axis, end): int((voxels.take(end, axis) > floor).sum())
        for axis in range(3)
        for end in (0, -1)
    }
    return {face: count for face, count in counts.items() if count}


def _draw_inside(source: Source, rng: np.random.Generator, config: PhantomConfig) -> Phantom:
    """Return the first of several draws that the grid does not cut, or else the one
    that it cuts least.

    If the first draw fits, the others do not affect it. Faces that the original itself reaches do
    not count: it was cut in preparation, and every copy would be.
    """
    best: tuple[int, Volume] | None = None
    for attempt in range(TRIES):
        shape = source.draw(rng, config)
        faces = touched_faces(shape.voxels)
        if faces and source.original is not None:
            original = touched_faces(source.original.read().voxels)
            faces = {face: count for face, count in faces.items() if face not in original}
        if not faces:
            return Phantom(shape, attempt, False)
        if best is None or sum(faces.values()) < best[0]:
            best = sum(faces.values()), shape

    assert best is not None
    return Phantom(best[1], TRIES - 1, True)


@functools.lru_cache(maxsize=2)
def lowered_template(resolution: float) -> tuple[Volume, Volume, Volume, Volume]:
    """Return the MNI152 average, grey matter, white matter and brain mask at a resolution in mm:
    smoothed once, not for every phantom.
    """
    mask = Volume(mni152_mask().astype(np.float32), mni152().affine)
    t1, gm, wm, inside = (
        lowered(part, resolution) for part in (mni152("t1"), mni152("gm"), mni152("wm"), mask)
    )
    return t1, gm, wm, inside


def from_template(rng: np.random.Generator, config: PhantomConfig) -> Volume:
    """Return the MNI152 average, deformed, with another intensity for each tissue."""
    grid = Grid(config.shape, centred_in(config))
    middle = np.asarray(MIDDLE, dtype=np.float32)[:, None, None, None]
    points = middle + (random_points(grid, config.deformation, rng) - middle) / np.float32(SIZE)
    t1, gm, wm, inside = (read_at(part, points) for part in lowered_template(config.spacing))
    grey, white, fluid = np.exp(rng.normal(0, config.appearance.contrast, 3)).astype(np.float32)
    gain = grey * gm + white * wm + fluid * np.clip(1 - gm - wm, 0, 1)
    return Volume(np.where(inside > 0.5, t1 * gain, np.float32(0)), grid.affine)


def bias_field(volume: Volume, appearance: Appearance, rng: np.random.Generator) -> Voxels:
    """Return a smooth multiplicative field around 1, as a receive coil causes."""
    coarse = 12.0
    shape = [
        max(int(np.ceil(n * s / coarse)), 2)
        for n, s in zip(volume.voxels.shape, volume.spacing, strict=True)
    ]
    noise = ndimage.gaussian_filter(
        rng.standard_normal(shape), appearance.bias_smooth_mm / coarse, mode="nearest"
    )
    log = (noise - noise.mean()) * (appearance.bias / max(float(noise.std()), 1e-12))
    factors = [n / m for n, m in zip(volume.voxels.shape, shape, strict=True)]

    return np.exp(
        ndimage.zoom(log.astype(np.float32), factors, order=1, mode="nearest", grid_mode=True)
    )


def from_volume(rng: np.random.Generator, config: PhantomConfig, entry: Entry) -> Volume:
    """Return a deformed copy of a prepared volume, on its own grid, with another
    contrast (an exponent).
    """
    volume = entry.read()
    shape = volume.voxels.shape
    points = random_points(
        Grid((shape[0], shape[1], shape[2]), volume.affine), config.deformation, rng
    )
    resolution = max(volume.spacing)
    voxels = np.clip(read_at(lowered(volume, resolution), points, order=3), 0, 1)
    mask = Volume((volume.voxels > 0).astype(np.float32), volume.affine)
    inside = read_at(lowered(mask, resolution), points) > 0.5
    exponent = np.float32(np.exp(rng.normal(0, config.appearance.contrast)))

    return Volume(np.where(inside, voxels**exponent, np.float32(0)), volume.affine)


def from_labels(rng: np.random.Generator, config: PhantomConfig, path: Path) -> Volume:
    """Return a T1-weighted brain drawn from a FreeSurfer label map, deformed."""
    brain = labelled_brain(read_volume(path), config.appearance.contrast, rng)
    middle = bounds(brain.voxels > 0).mean(axis=0)
    affine = centred_in(config, (brain.affine @ np.append(middle, 1.0))[:3])
    points = random_points(Grid(config.shape, affine), config.deformation, rng)
    return Volume(read_at(lowered(brain, config.spacing), points), affine)


def centred_in(config: PhantomConfig, centre: Any = MIDDLE) -> Any:
    """Return the affine of the configured grid, centred at `centre` (RAS+ mm)."""
    affine = np.diag([config.spacing, config.spacing, config.spacing, 1.0])
    affine[:3, 3] = np.asarray(centre) - config.spacing * (np.asarray(config.shape) - 1) / 2
    return affine
