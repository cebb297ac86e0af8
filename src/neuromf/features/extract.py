"""Measuring many volumes: each file is read once, whatever is measured, in several
processes or on a GPU.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid, resample
from neuromf.data.volume import Affine, Volume, VolumeError, require_file, volume_sha256
from neuromf.features.cache import Cache, CacheError
from neuromf.features.extractors import load_measure
from neuromf.features.measure import Measure, fingerprint
from neuromf.runtime.files import stop_if_disk
from neuromf.runtime.parallel import DiedError, each
from neuromf.runtime.progress import progress

log = logging.getLogger("neuromf")
TOLERANCE = 0.01  # by which values may leave [0, 1]
FRAME = "frame"  # the tensor beside the others that holds shape and spacing
SAME_MM = 1e-3  # voxel sizes that differ less are equal


@dataclass(frozen=True)
class Frame:
    """The grid that all volumes share: shape (D, H, W) and spacing, mm, in RAS order."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, volume: Volume) -> Frame:
        """Return the frame of a canonical volume."""
        d, h, w = volume.voxels.shape
        return cls((d, h, w), volume.spacing)

    def fits(self, other: Frame) -> bool:
        """Return True if two frames are equal."""
        return self.shape == other.shape and np.allclose(self.spacing, other.spacing, atol=SAME_MM)

    def __str__(self) -> str:
        size = " x ".join(f"{s:.3g}" for s in self.spacing)
        return f"{' x '.join(map(str, self.shape))} voxels of {size} mm"


class FrameError(ValueError):
    """A volume of another size or spacing than the others."""


@dataclass(frozen=True)
class Job:
    """What is done with each file."""

    measures: tuple[str, ...]  # names that `load_measure` knows
    cache: Cache
    device: str = "cpu"
    frame: Frame | None = None  # what every volume has to have; the file's own, if None
    resample: bool = False  # put another volume onto the frame, middle on middle


@dataclass(frozen=True)
class Measured:
    """A file that was measured."""

    path: Path
    sha256: str


# what was measured, in order; what not, with the reason
Outcome = tuple[list[Measured], list[tuple[Path, str]]]


def measure_all(
    paths: Sequence[Path], job: Job, workers: int = 1, what: str = "measure"
) -> Outcome:
    """Measure the files of one set that are not in the cache yet, as `measure_sets` does."""
    return measure_sets([(paths, job)], workers, what)[0]


def measure_sets(
    sets: Sequence[tuple[Sequence[Path], Job]], workers: int = 1, what: str = "measure"
) -> list[Outcome]:
    """Measure the files of several sets that are not in the cache yet; return for each set the
    files that are measured, in order, and those that could not be read, with the reason.

    All sets share the same processes, because starting them and loading networks can cost more than
    measuring a set. Raises FrameError if a volume has another size and `resample` is not set.
    """
    tasks = list(dict.fromkeys((job, path) for paths, job in sets for path in paths))
    done: dict[tuple[Job, Path], Measured] = {}
    failed: dict[tuple[Job, Path], str] = {}

    with progress("volumes") as bar:
        bar_task = bar.add_task(what, total=len(tasks))
        for task, outcome in each(measure_task, tasks, workers):
            bar.advance(bar_task)
            if isinstance(
                outcome, FrameError | CacheError | torch.OutOfMemoryError | MemoryError | DiedError
            ):
                raise outcome  # not the file's fault
            if isinstance(outcome, Exception):
                stop_if_disk(outcome)
                failed[task] = str(outcome).replace(f"{task[1]}: ", "")
                log.warning("left out: %s: %s", task[1], failed[task])
            else:
                done[task] = Measured(task[1], outcome)

    return [
        (
            [done[job, p] for p in paths if (job, p) in done],
            [(p, failed[job, p]) for p in paths if (job, p) in failed],
        )
        for paths, job in sets
    ]


def measure_task(task: tuple[Job, Path]) -> str:
    """Take the measurements of one file, as `measure_file` does."""
    return measure_file(*task)


def measure_file(job: Job, path: Path) -> str:
    """Take the measurements of a file that the cache lacks; return the file's SHA-256.

    Raises VolumeError if it is not a volume in [0, 1], FrameError if it has another size.
    """
    require_file(path)
    try:
        sha256 = volume_sha256(path)
    except OSError as error:
        raise VolumeError(f"{path}: not readable ({error.strerror})") from None

    measures = [load_measure(name, job.device) for name in job.measures]
    missing = [m for m in measures if not job.cache.has(key_of(m, job), sha256)]
    if not missing:
        refuse_other_frame(path, kept_frame(measures[0], job, sha256), job)
        return sha256

    volume = read_prepared(path, job)
    frame = torch.tensor([*volume.voxels.shape, *volume.spacing], dtype=torch.float64)

    for measure in missing:
        values = measure.compute(volume)
        broken = [
            name
            for name, v in values.items()
            if measure.kind != "sizes" and not torch.isfinite(v).all()
        ]
        if broken:
            raise VolumeError(f"{path}: {measure.name} gives NaN or Inf ({', '.join(broken)})")
        job.cache.write(key_of(measure, job), sha256, values | {FRAME: frame})

    return sha256


def kept_frame(measure: Measure, job: Job, sha256: str) -> Frame:
    """Return the frame of a volume that was measured before."""
    d, h, w, *spacing = job.cache.read(key_of(measure, job), sha256, FRAME).tolist()
    return Frame((int(d), int(h), int(w)), (spacing[0], spacing[1], spacing[2]))


def refuse_other_frame(path: Path, frame: Frame, job: Job) -> None:
    """Raise FrameError if a volume is not on the job's frame."""
    if job.frame is not None and not job.frame.fits(frame):
        raise FrameError(
            f"{path} has {frame}, the reference {job.frame}: features of unlike grids are not "
            "comparable; resample=true puts it onto the reference's grid"
        )


def read_prepared(path: Path, job: Job) -> Volume:
    """Return a volume in RAS order on the job's frame. Raises VolumeError for values outside [0,
    1], NaN and Inf.
    """
    volume = read_volume(path).canonical()
    mended = [note for note in volume.notes if "NaN" in note]
    if mended:
        raise VolumeError(
            f"{path}: {mended[0].partition(':')[0]}: a broken volume is left out, not repaired"
        )

    low, high = float(volume.voxels.min()), float(volume.voxels.max())
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        raise VolumeError(
            f"{path}: values from {low:.4g} to {high:.4g}: [0, 1] is expected, one scale for all "
            "volumes; `neuromf prepare` brings scans to it"
        )

    voxels = np.clip(volume.voxels, 0, 1)
    volume = Volume(np.ascontiguousarray(voxels, dtype=np.float32), volume.affine, volume.notes)
    if job.frame is None or job.frame.fits(Frame.of(volume)):
        return volume
    if not job.resample:
        refuse_other_frame(path, Frame.of(volume), job)
    return resample(volume, Grid(job.frame.shape, framed_affine(volume, job.frame)))


def framed_affine(volume: Volume, frame: Frame) -> Affine:
    """Return the affine of a frame centred on a canonical volume, along its axes."""
    affine = np.eye(4)
    affine[:3, :3] = volume.affine[:3, :3] / np.asarray(volume.spacing) * np.asarray(frame.spacing)
    middle = volume.affine @ np.append((np.asarray(volume.voxels.shape) - 1) / 2, 1.0)
    affine[:3, 3] = middle[:3] - affine[:3, :3] @ ((np.asarray(frame.shape) - 1) / 2)
    return affine


def key_of(measure: Measure, job: Job) -> str:
    """Return the cache's name of a measure; measurements after resampling have another name."""
    if not job.resample or job.frame is None:
        return measure.sha256
    return fingerprint(measure.sha256, job.frame.shape, job.frame.spacing)


@dataclass(frozen=True)
class Features:
    """The measurements of one set of files, read from the cache when needed."""

    files: tuple[Measured, ...]
    job: Job

    def __len__(self) -> int:
        return len(self.files)

    def only(self, indices: Sequence[int]) -> Features:
        """Return the features of some of the files."""
        return Features(tuple(self.files[i] for i in indices), self.job)

    def each(self, measure: Measure, key: str) -> Iterator[Tensor]:
        """Yield the files' tensors one after another."""
        kept = key_of(measure, self.job)
        for file in self.files:
            yield self.job.cache.read(kept, file.sha256, key)

    def shape(self, measure: Measure, index: int) -> tuple[int, int, int]:
        """Return the shape (D, H, W) in which a file was measured."""
        return kept_frame(measure, self.job, self.files[index].sha256).shape

    def stacked(self, measure: Measure, key: str) -> Tensor:
        """Return the tensors of all files, stacked: (N, ...)."""
        return torch.stack(list(self.each(measure, key)))
