"""`neuromf phantom`: brains of real anatomy for machines without data, and
deformed copies of one's own.

Three sources: the MNI152 average and its tissue maps, a prepared cohort, FreeSurfer label maps.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from neuromf.data.cohort import (
    COHORT_FILES,
    Entry,
    finish_cohort,
    read_cohort,
    save_entry,
    saved_record,
)
from neuromf.data.foreground import bounds
from neuromf.data.preprocess import SPACING_MM, refuse_large, scale
from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid
from neuromf.data.scans import Scan, find_scans
from neuromf.data.splits import SplitConfig
from neuromf.data.template import MIDDLE, mni152, mni152_mask
from neuromf.data.volume import Volume, VolumeError, Voxels, volume_sha256
from neuromf.phantoms.deform import Deformation, random_points, read_at
from neuromf.phantoms.labels import labelled_brain
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.parallel import each
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run, stop_if_disk

OUTPUT = Output("phantom", COHORT_FILES)
MNI = "mni152"
ABOUT = ("dataset", "group", "age", "sex")
TRIES = 20  # draws of a phantom that the box cuts; of 200 copies it cut 28 the first time
FAINT = 0.05  # of the brightest voxel: what is darker at the border is smoothing, not anatomy
SIZE = 0.92  # of a usual brain beside MNI152, which is larger than most


@dataclass(frozen=True)
class Appearance:
    """How far the look of a phantom goes from its source."""

    # standard deviation of the logarithm of each tissue's intensity, and of the exponent
    contrast: float = 0.10
    bias: float = 0.15  # standard deviation of the logarithm of the bias field
    bias_smooth_mm: float = 45.0
    noise: float = 0.01  # standard deviation of Gaussian noise in the brain

    def __post_init__(self) -> None:
        values = self.contrast, self.bias, self.bias_smooth_mm, self.noise
        if not all(math.isfinite(value) and value >= 0 for value in values):
            raise ValueError(f"{self}: finite numbers, nothing negative")
        if max(self.contrast, self.bias) > 3:
            raise ValueError(f"{self}: contrast and bias up to 3: they are spreads of logarithms")


@dataclass(frozen=True)
class PhantomConfig:
    """How many phantoms, of what, how different."""

    # mni152, a folder that prepare wrote, or label maps (a file, folder, glob or manifest)
    source: str = MNI
    n: int = 32
    spacing: float = 2.0  # mm; copies of a prepared cohort keep its own
    shape: tuple[int, int, int] = (80, 96, 80)
    deformation: Deformation = field(default_factory=Deformation)
    appearance: Appearance = field(default_factory=Appearance)
    seed: int = 0
    split: SplitConfig = field(default_factory=SplitConfig)
    workers: int = 0

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n is {self.n}: 1 or more")
        if (
            not SPACING_MM[0] <= self.spacing <= SPACING_MM[1]
            or len(self.shape) != 3
            or min(self.shape) < 8
        ):
            raise ValueError(
                f"spacing {self.spacing} mm, shape {self.shape}: {SPACING_MM[0]:g} to "
                f"{SPACING_MM[1]:g} mm and three numbers of voxels, 8 or more"
            )
        refuse_large(self.shape)
        if self.seed < 0 or self.workers < 0:
            raise ValueError(f"seed is {self.seed}, workers {self.workers}: 0 or more")


@dataclass(frozen=True)
class Source:
    """What one phantom is made of: the person it copies (empty for MNI152),
    and a function that draws it.
    """

    parent: str
    split: str
    about: dict[str, str]  # dataset, group, age, sex
    sha256: str  # of the file it copies
    draw: Callable[[np.random.Generator, PhantomConfig], Volume]
    original: Entry | None = None  # the prepared volume that it copies


class Phantom(NamedTuple):
    """A phantom, and how it came to lie in its box."""

    volume: Volume
    redrawn: int  # draws before it that the box cut
    cut: bool  # whether the box cuts it even so


def run(config: PhantomConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write n phantoms into `out` as `prepare` writes volumes; return the number that failed."""
    sources = find_sources(config.source)
    with open_run(out, config, OUTPUT, [config.source], resume=resume, overwrite=overwrite):
        records, failed = [], []
        with progress("phantoms") as bar:
            task = bar.add_task("phantom", total=config.n)
            work = functools.partial(save_phantom, config=config, out=out)
            drawn = [(index, sources[index % len(sources)]) for index in range(config.n)]
            for (index, _), outcome in each(work, drawn, config.workers):
                bar.advance(task)
                stop_if_disk(outcome)
                if isinstance(outcome, Exception):
                    failed.append((index, outcome))
                else:
                    records.append(outcome)
        if not records:
            raise VolumeError(f"no phantom could be made; the first: {failed[0][1]}")
        finish_cohort(out, records, config.split)
        print(f"{len(records)} phantoms in {out}; look at {out / 'contact.png'}")
        redrawn = sum(record["redrawn"] > 0 for record in records)
        cut = sum(record["cut"] for record in records)
        if redrawn:
            print(f"{redrawn} drawn again, because the box would have cut the brain")
        if cut:
            print(
                f"{cut} cut by the box all the same (`cut` in their .json): it is too small, or "
                "deformation too strong"
            )
        for index, error in failed:
            print(f"phantom {index} failed: {error}")
    return len(failed)


def find_sources(source: str) -> list[Source]:
    """Return what phantoms are made of in turn: of a prepared cohort the training subjects alone.

    Raises FileNotFoundError where there is nothing.
    """
    if source == MNI:
        return [Source("", "", {"dataset": MNI}, "", from_template)]
    folder = local_path(source)
    if (folder / "manifest.csv").is_file():
        entries = [e for e in read_cohort(folder) if e.split == "train"]
        if not entries:
            raise FileNotFoundError(f"{folder} has no training subject to copy: see its split.json")
        return [
            Source(
                e.person,
                "train",
                {k: e.record[k] for k in ABOUT},
                e.record["sha256"],
                functools.partial(_copy, entry=e),
                e,
            )
            for e in entries
        ]
    return [
        Source(
            s.subject,
            "",
            {k: s.row()[k] for k in ABOUT},
            volume_sha256(Path(s.path)),
            functools.partial(_from_labels, path=Path(s.path)),
        )
        for s in find_scans([source])
    ]


def save_phantom(numbered: tuple[int, Source], config: PhantomConfig, out: Path) -> dict[str, Any]:
    """Draw and write one phantom of a source and return its record; one that is there is kept."""
    index, source = numbered
    subject = f"{source.parent}-copy{index:05d}" if source.parent else f"phantom{index:05d}"
    scan = Scan(source.parent or MNI, subject, **source.about)
    known = saved_record(out, scan.name, {"redrawn": int, "cut": bool})
    if known and known.get("source_sha256") == source.sha256:
        return known | scan.row() | {"parent": source.parent, "split": source.split}
    volume, redrawn, cut = draw(source, index, config)
    record = {
        "parent": source.parent,
        "source_sha256": source.sha256,
        "split": source.split,
        "seed": [config.seed, index],
        "affine": volume.affine.tolist(),
        "source_affine": volume.affine.tolist(),
        "source_shape": list(volume.voxels.shape),
        "shape": list(volume.voxels.shape),
        "redrawn": redrawn,
        "cut": cut,
        "notes": ["the box cuts the brain"] if cut else [],
    }
    return save_entry(out, scan, volume, record)


def draw(source: Source, index: int, config: PhantomConfig) -> Phantom:
    """Return phantom number `index` of a source: the same for the same seed, whatever
    else is drawn.
    """
    rng = np.random.default_rng([config.seed, index])
    shape, redrawn, cut = _draw_inside(source, rng, config)
    voxels = shape.voxels * bias_field(shape, config.appearance, rng)
    brain = voxels > 0
    voxels = np.where(
        brain,
        voxels
        + np.float32(config.appearance.noise) * rng.standard_normal(voxels.shape, np.float32),
        0,
    )
    volume, _ = scale(Volume(np.clip(voxels, 0, None).astype(np.float32), shape.affine), 99.5)
    return Phantom(volume, redrawn, cut)


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
    """Return the first of some draws that its box does not cut, else the one that it cuts least.

    A first draw that fits is what it is without the others. Faces that the original reaches itself
    do not count: it was cut in preparation, and every copy would be.
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


def from_template(rng: np.random.Generator, config: PhantomConfig) -> Volume:
    """Return the MNI152 average, deformed, each tissue with another intensity."""
    grid = Grid(config.shape, _centred(config))
    middle = np.asarray(MIDDLE, dtype=np.float32)[:, None, None, None]
    points = middle + (random_points(grid, config.deformation, rng) - middle) / np.float32(SIZE)
    t1, gm, wm = (read_at(mni152(tissue), points, config.spacing) for tissue in ("t1", "gm", "wm"))
    inside = read_at(
        Volume(mni152_mask().astype(np.float32), mni152().affine), points, config.spacing
    )
    grey, white, fluid = np.exp(rng.normal(0, config.appearance.contrast, 3)).astype(np.float32)
    gain = grey * gm + white * wm + fluid * np.clip(1 - gm - wm, 0, 1)
    return Volume(np.where(inside > 0.5, t1 * gain, np.float32(0)), grid.affine)


def bias_field(volume: Volume, appearance: Appearance, rng: np.random.Generator) -> Voxels:
    """Return a smooth field around 1 that multiplies a volume, as a receive coil does."""
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


def _copy(rng: np.random.Generator, config: PhantomConfig, entry: Entry) -> Volume:
    """Return a deformed copy of a prepared volume, on its own grid, with another contrast
    (an exponent).
    """
    volume = entry.read()
    shape = volume.voxels.shape
    points = random_points(
        Grid((shape[0], shape[1], shape[2]), volume.affine), config.deformation, rng
    )
    voxels = np.clip(read_at(volume, points, max(volume.spacing), order=3), 0, 1)
    inside = (
        read_at(
            Volume((volume.voxels > 0).astype(np.float32), volume.affine),
            points,
            max(volume.spacing),
        )
        > 0.5
    )
    exponent = np.float32(np.exp(rng.normal(0, config.appearance.contrast)))
    return Volume(np.where(inside, voxels**exponent, np.float32(0)), volume.affine)


def _from_labels(rng: np.random.Generator, config: PhantomConfig, path: Path) -> Volume:
    """Return a T1-weighted brain drawn from a FreeSurfer label map, deformed."""
    brain = labelled_brain(read_volume(path), config.appearance.contrast, rng)
    middle = bounds(brain.voxels > 0).mean(axis=0)
    affine = _centred(config, (brain.affine @ np.append(middle, 1.0))[:3])
    points = random_points(Grid(config.shape, affine), config.deformation, rng)
    return Volume(read_at(brain, points, config.spacing), affine)


def _centred(config: PhantomConfig, centre: Any = MIDDLE) -> Any:
    """Return the affine of the configured grid with `centre` (RAS+ mm) in its middle."""
    affine = np.diag([config.spacing, config.spacing, config.spacing, 1.0])
    affine[:3, 3] = np.asarray(centre) - config.spacing * (np.asarray(config.shape) - 1) / 2
    return affine
