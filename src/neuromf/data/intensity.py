"""Grey and white matter in the intensities of a T1-weighted brain, and how data sets differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.volume import Volume, VolumeError

# what the two become: of 32 real scans, at most 1.6 % of a brain are clipped
GREY, WHITE = (0.45, 0.75)
LOOKED_AT_MM = 2.0
LEVELS = 100  # of the histogram that classes are found in
TOP = 98.0  # percentile of the brain where that ends: vessels lie above
SPREAD = 0.1  # of data sets' medians from which on it is worth a line


class Tissue(NamedTuple):
    """The median intensity of grey and of white matter."""

    grey: float
    white: float


def tissue_levels(volume: Volume) -> Tissue:
    """Return the intensities of grey and white matter in a stripped T1w volume (0 is background).

    The brain's histogram is split into three classes (Otsu's criterion): fluid, grey, white.
    Medians of classes are more robust to bias fields and vessels than peaks are. Raises VolumeError
    if the brightest class is not the deepest, as white matter is in T1w alone.
    """
    steps = [max(1, int(LOOKED_AT_MM / s + 1e-6)) for s in volume.spacing]
    voxels = volume.voxels[:: steps[0], :: steps[1], :: steps[2]]
    depth = ndimage.distance_transform_edt(voxels > 0)
    inner = depth > 1  # the rim holds partial volumes
    if inner.sum() < 1000:
        raise VolumeError(
            "too little of a brain to find its tissues: preprocessing.intensity=percentile takes it"
        )

    values, deep = voxels[inner], depth[inner]
    low, high = three_classes(values)
    grey, white = (values > low) & (values <= high), values > high
    if not grey.any() or not white.any() or np.median(deep[white]) <= np.median(deep[grey]):
        raise VolumeError(
            "its brightest tissue is not the deepest one, as white matter is in T1w: "
            "preprocessing.intensity=percentile takes it"
        )

    return Tissue(float(np.median(values[grey])), float(np.median(values[white])))


def three_classes(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the two thresholds between three classes of positive values that differ
    most (Otsu 1979).
    """
    counts, edges = np.histogram(values, LEVELS, (0.0, float(np.percentile(values, TOP))))
    centres = (edges[1:] + edges[:-1]) / 2
    number = np.concatenate([[0.0], np.cumsum(counts)])
    total = np.concatenate([[0.0], np.cumsum(counts * centres)])
    with np.errstate(invalid="ignore", divide="ignore"):  # empty classes add nothing
        between = np.nan_to_num(
            (total[None] - total[:, None]) ** 2 / (number[None] - number[:, None])
        )

    # (first threshold, second threshold)
    score = between[0, :, None] + between + between[None, :, LEVELS]
    first, second = np.unravel_index(np.triu(score, 1).argmax(), score.shape)
    return float(edges[first]), float(edges[second])


def data_set_medians(records: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return, for each data set, the median over its volumes of the median
    intensity in the brain.
    """
    medians: dict[str, list[float]] = {}
    for record in records:
        if "median" in record["intensity"]:  # versions before this one did not write it
            medians.setdefault(str(record["dataset"]) or "unnamed", []).append(
                float(record["intensity"]["median"])
            )
    return {name: float(np.median(values)) for name, values in sorted(medians.items())}
