"""One scan to one prepared volume, step by step, with a record of each step; and back onto the
scan's own grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuromf.data.foreground import Mask, Region, bounds
from neuromf.data.intensity import GREY, WHITE, tissue_levels
from neuromf.data.outliers import black_of_brain, without_outliers
from neuromf.data.reading import LARGEST_BYTES
from neuromf.data.resample import Grid, isotropic_grid, resample
from neuromf.data.skullstrip import StripConfig, find_brain
from neuromf.data.view import share_outside
from neuromf.data.volume import Affine, Volume, VolumeError

FEW_VALUES = 12  # an image has more
Intensity = Literal["percentile", "white-matter", "grey-white"]
SPACING_MM = (0.1, 10.0)  # of cubic voxels: a brain of 0.1 mm has 2e9 of them


@dataclass(frozen=True)
class Preprocessing:
    """What every scan goes through: orientation, strip, bias field, one resampling, scaling."""

    spacing: float = 1.0  # mm, of cubic voxels
    # voxels, right-left, posterior-anterior, inferior-superior
    shape: tuple[int, int, int] = (192, 192, 192)
    strip: StripConfig = field(default_factory=StripConfig)
    n4: bool = False  # correct the bias field (N4, Tustison 2010)
    # of the scan, which becomes 0, and of the brain, which becomes 1
    percentiles: tuple[float, float] = (0.0, 99.5)
    # what is set to a fixed level: the high percentile, T1w white matter, or both tissues
    intensity: Intensity = "percentile"
    smooth: bool = True  # a Gaussian before voxels grow, against aliasing
    smallest_ml: float = 100.0  # a smaller foreground is not taken for a brain; 0 accepts any

    def __post_init__(self) -> None:
        low, high = self.percentiles
        if not SPACING_MM[0] <= self.spacing <= SPACING_MM[1]:
            raise ValueError(
                f"spacing is {self.spacing}: {SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm is expected"
            )
        if len(self.shape) != 3 or min(self.shape) < 8 or any(n % 4 for n in self.shape):
            raise ValueError(
                f"shape is {self.shape}: three multiples of 4 (the factor of the VAEs), 8 or more"
            )

        refuse_large(self.shape)
        if not (math.isfinite(self.smallest_ml) and self.smallest_ml >= 0):
            raise ValueError(f"smallest_ml is {self.smallest_ml}: ml, 0 or more")
        if not 0 <= low < high <= 100:
            raise ValueError(f"percentiles are {self.percentiles}: 0 <= low < high <= 100")


def refuse_large(shape: tuple[int, ...]) -> None:
    """Raise ValueError for a shape of more voxels than a volume may have in memory."""
    if 4 * math.prod(shape) > LARGEST_BYTES:
        raise ValueError(
            f"shape is {shape}: {4 * math.prod(shape) / 1e9:.1f} GB a volume, "
            f"{LARGEST_BYTES / 1e9:g} GB is the limit"
        )


class Preprocessed(NamedTuple):
    """A prepared volume, the record of every step, and where the brain was in the scan."""

    volume: Volume
    record: dict[str, Any]
    brain: Region


def preprocess(
    volume: Volume, steps: Preprocessing, mask_file: str = "", assume_orientation: str = ""
) -> tuple[Volume, dict[str, Any]]:
    """Return the prepared volume, in [0, 1] on a cubic grid around the brain, and a
    record of every step. `assume_orientation` is for the mask, as it was for the scan.

    Raises VolumeError if no brain is found.
    """
    volume, record, _ = preprocess_with_brain(volume, steps, mask_file, assume_orientation)
    return volume, record


def preprocess_with_brain(
    volume: Volume, steps: Preprocessing, mask_file: str = "", assume_orientation: str = ""
) -> Preprocessed:
    """Return what `preprocess` does, and the brain."""
    values, counts = np.unique(volume.voxels[::2, ::2, ::2], return_counts=True)
    if values.size < FEW_VALUES:
        raise VolumeError(
            f"it has only {values.size} different values: is it a mask or a label map?"
        )

    volume, outliers = without_outliers(volume, values, counts)
    canonical = volume.canonical()
    kept, brain, strip_record = find_brain(canonical, steps.strip, mask_file, assume_orientation)
    ml = float(brain.sum()) * canonical.voxel_ml
    if ml < steps.smallest_ml:
        raise VolumeError(
            f"the foreground measures {ml:.1f} ml, no brain: preprocessing.smallest_ml=0 takes it"
        )

    corrected = correct_bias(canonical, brain) if steps.n4 else canonical
    dark, low, lifted = without_background(corrected, kept, brain, steps.percentiles[0])
    grid = isotropic_grid(canonical, steps.spacing, steps.shape, bounds(brain).mean(axis=0))
    cut = share_outside(brain, canonical.affine, grid)
    resampled = resample(dark, grid, smooth=steps.smooth)
    if steps.intensity == "percentile":
        prepared, high = scale(resampled, steps.percentiles[1])
    else:
        prepared, high = scale_to_tissue(resampled, kept, steps.intensity)

    notes = [*volume.notes, *outliers.notes(), *strip_record.pop("notes", [])]
    if lifted:
        notes.append(
            f"the smallest values lie far below the brain's (CT?): all up to {low:g} is black"
        )

    if cut > 0:
        notes.append(
            f"{100 * cut:.2f} % of the brain lies outside the "
            f"{'x'.join(map(str, steps.shape))} voxels"
        )

    record = {
        "source_shape": list(volume.voxels.shape),
        "source_affine": volume.affine.tolist(),
        "source_spacing_mm": [round(s, 4) for s in volume.spacing],
        "affine": grid.affine.tolist(),
        "shape": list(grid.shape),
        "spacing_mm": steps.spacing,
        "strip": strip_record,
        "n4": steps.n4,
        "brain_ml": round(ml, 1),
        "brain_cut_percent": round(100 * cut, 3),
        "intensity": {
            "percentiles": list(steps.percentiles),
            "low": low,
            "high": high + low,
            "scaled_to": steps.intensity,
            "median": round(float(np.median(prepared.voxels[prepared.voxels > 0])), 4),
            "outliers": outliers.record(),
        },
        "notes": notes,
    }
    prepared = Volume(prepared.voxels, grid.affine, tuple(notes))
    return Preprocessed(prepared, record, Region(brain, canonical.affine))


def put_back(prepared: Volume, shape: tuple[int, int, int], affine: Affine) -> Volume:
    """Return a prepared (or generated) volume on a scan's own grid: `source_shape` and
    `source_affine` of its record.
    """
    return resample(prepared, Grid(shape, affine), smooth=False)


def correct_bias(volume: Volume, brain: Mask) -> Volume:
    """Return the volume divided by its bias field (N4, Tustison 2010), estimated at about 4 mm
    inside the brain.
    """
    import SimpleITK as sitk  # noqa: N813

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    image = sitk.GetImageFromArray(
        np.ascontiguousarray(volume.voxels.transpose(2, 1, 0) - volume.voxels.min())
    )
    image.SetSpacing(volume.spacing)
    mask = sitk.GetImageFromArray(np.ascontiguousarray(brain.transpose(2, 1, 0)).astype(np.uint8))
    mask.CopyInformation(image)
    factors = [max(1, int(4 / s)) for s in volume.spacing]
    n4 = sitk.N4BiasFieldCorrectionImageFilter()
    n4.SetMaximumNumberOfIterations([50, 50, 50])
    n4.Execute(sitk.Shrink(image, factors), sitk.Shrink(mask, factors))
    field_ = sitk.GetArrayFromImage(sitk.Exp(n4.GetLogBiasFieldAsImage(image))).transpose(2, 1, 0)
    low = volume.voxels.min()
    return Volume(
        ((volume.voxels - low) / field_ + low).astype(np.float32), volume.affine, volume.notes
    )


def without_background(
    volume: Volume, kept: Mask | None, brain: Mask, percentile: float
) -> tuple[Volume, float, bool]:
    """Return the volume minus its black level, 0 outside the mask and nowhere negative; the black
    level; and whether the brain determined it.

    Black is the scan's low percentile, or the lowest value that suits the brain if that is higher.
    """
    lowest = (
        float(np.percentile(volume.voxels, percentile))
        if percentile
        else float(volume.voxels.min())
    )
    low = max(lowest, black_of_brain(volume.voxels, brain))
    voxels = np.clip(volume.voxels - np.float32(low), 0, None)
    if kept is not None:
        voxels = np.where(kept, voxels, np.float32(0))
    return Volume(voxels, volume.affine, volume.notes), low, low > lowest


def scale(volume: Volume, percentile: float) -> tuple[Volume, float]:
    """Return the volume divided by the high percentile of its voxels above 0, clipped to [0, 1];
    and that percentile.
    """
    above: NDArray[np.float32] = volume.voxels[volume.voxels > 0]
    if above.size == 0:
        raise VolumeError(
            "nothing is left above the low percentile: is the mask "
            "on the scan, or the background brighter?"
        )
    high = float(np.percentile(above, percentile))
    return _divided(volume, high), high


def scale_to_tissue(
    volume: Volume, kept: Mask | None, intensity: Intensity
) -> tuple[Volume, float]:
    """Return a stripped T1w volume in which white matter is WHITE, clipped to [0, 1]; and the
    value that became 1.

    With `grey-white`, grey matter is GREY too: the map is linear from 0 to grey, to
    white, and to 1.
    """
    if kept is None:
        raise VolumeError(
            f"preprocessing.intensity={intensity} needs a stripped brain: "
            "preprocessing.strip.method=auto"
        )

    grey, white = tissue_levels(volume)
    high = white / WHITE
    if intensity == "white-matter":
        return _divided(volume, high), high
    knots, heights = [0.0, grey, white, high], [0.0, GREY, WHITE, 1.0]
    voxels = np.interp(volume.voxels, knots, heights).astype(np.float32)
    return Volume(voxels, volume.affine, volume.notes), high


def _divided(volume: Volume, high: float) -> Volume:
    return Volume(np.clip(volume.voxels / np.float32(high), 0, 1), volume.affine, volume.notes)
