"""Small prepared volumes with lesion masks."""

from pathlib import Path

import numpy as np

from neuromf.data.cohort import finish_cohort, read_cohort, save_entry
from neuromf.data.scan import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume
from support import tiny_cohort


def tiny_lesion(volume: Volume, number: int) -> Volume:
    """A ball of 2 to 5 voxels, at another place for each number."""
    shape = volume.voxels.shape
    middle = np.array(shape) / 2 + [4 * np.sin(number), 4 * np.cos(number), number % 5 - 2]
    away = np.indices(shape) - middle[:, None, None, None]
    radius = 2 + number % 4
    return Volume(((away**2).sum(0) < radius**2).astype(np.float32), volume.affine)


def tiny_pairs(folder: Path, n: int = 6, without: tuple[int, ...] = (), **kwargs) -> Path:
    """A folder as `prepare` writes it, of volumes with lesion masks but for those in `without`."""
    tiny_cohort(folder, n=n, **kwargs)
    records = []
    for number, entry in enumerate(read_cohort(folder)):
        volume, record = entry.read(), entry.sidecar()
        kept = {k: record[k] for k in ("notes", "affine", "shape")}
        lesion = None if number in without else tiny_lesion(volume, number)
        scan = Scan(record["path"], entry.subject, dataset="tiny")
        records.append(save_entry(folder, scan, volume, kept, lesion))
    finish_cohort(folder, records, SplitConfig())
    return folder
