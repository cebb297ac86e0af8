"""Measuring pairs of a volume and its lesion mask: each pair once, kept in the cache by the hashes
of both files.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neuromf.data.lesion_file import read_lesion, told_grid
from neuromf.data.resample import grid_of, nearest
from neuromf.data.volume import Volume, VolumeError, volume_sha256
from neuromf.features.extract import Frame, FrameError, Job, read_prepared
from neuromf.features.lesion import (
    BINS,
    VERSION,
    Mask,
    MeasuredLesion,
    from_tensors,
    measure_lesion,
)
from neuromf.features.measure import fingerprint
from neuromf.runtime.files import stop_if_disk
from neuromf.runtime.parallel import DiedError, each
from neuromf.runtime.progress import progress

SAME_MM = 1e-2  # by which the voxels of a mask may lie beside those of its image


class ImageAndMask(NamedTuple):
    """The files of a volume and of its lesion mask."""

    image: Path
    mask: Path


# each pair's lesion, or why it could not be measured
Outcome = dict[ImageAndMask, MeasuredLesion | str]


def measure_pairs(pairs: Sequence[ImageAndMask], job: Job, workers: int, what: str) -> Outcome:
    """Return the lesion of each pair. Raises FrameError for a mask on another grid than its image,
    and what is no file's fault.
    """
    found: Outcome = {}
    with progress("lesion masks") as bar:
        task = bar.add_task(what, total=len(pairs))
        for pair, outcome in each(partial(measure_pair, job), pairs, workers):
            bar.advance(task)
            if isinstance(outcome, FrameError | MemoryError | DiedError):
                raise outcome
            if isinstance(outcome, Exception):
                stop_if_disk(outcome)
                found[pair] = str(outcome).replace(f"{pair.mask}: ", "")
            else:
                found[pair] = outcome
    return found


def measure_pair(job: Job, pair: ImageAndMask) -> MeasuredLesion:
    """Return the lesion of a pair, from the cache if it was measured before."""
    key = fingerprint("lesion", VERSION, BINS, job.resample and job.frame)
    if not pair.mask.is_file():
        raise VolumeError(f"{pair.mask}: the lesion mask is missing")
    both = fingerprint(volume_sha256(pair.image), volume_sha256(pair.mask))

    if not job.cache.has(key, both):
        lesion = measure_lesion(*read_pair(job, pair))
        job.cache.write(key, both, lesion.tensors())
    return from_tensors(job.cache.read_all(key, both))


def read_pair(job: Job, pair: ImageAndMask) -> tuple[Volume, Mask]:
    """Return a volume and its lesion mask in RAS order on the job's frame.

    Raises FrameError if the mask is on another grid than the volume, VolumeError for a mask with
    other values than 0 and 1.
    """
    # without a frame, the volume is on its own grid
    own = read_prepared(pair.image, Job((), job.cache))
    mask = read_lesion(pair.mask).canonical()
    same = mask.voxels.shape == own.voxels.shape
    if not (same and np.allclose(mask.affine, own.affine, atol=SAME_MM)):
        raise FrameError(
            f"{pair.mask} has {told_grid(mask)}, its image {told_grid(own)}: a lesion mask has to "
            "be on the grid of its image; resample it, by nearest neighbour"
        )

    if job.frame is None or job.frame.fits(Frame.of(own)):
        return own, mask.voxels > 0
    volume = read_prepared(pair.image, job)
    return volume, nearest(mask, grid_of(volume)).voxels > 0
