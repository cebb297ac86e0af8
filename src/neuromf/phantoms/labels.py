"""FreeSurfer label maps: which structures belong to the brain, and their intensity in a
T1-weighted image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.foreground import Mask
from neuromf.data.volume import Volume, VolumeError

# T1-weighted intensity over that of white matter, after the means that SynthSeg publishes
# (Billot 2023).
BRIGHTNESS = {
    **dict.fromkeys((2, 41), 1.00),  # cerebral white matter
    **dict.fromkeys((77, 78, 79, 25, 57), 0.72),  # its lesions
    **dict.fromkeys((3, 42), 0.60),  # cerebral cortex
    **dict.fromkeys((4, 43, 5, 44, 14, 15, 24, 72), 0.28),  # ventricles and other fluid
    **dict.fromkeys((136, 137, 163, 164), 0.37),  # the ventricles' lining
    **dict.fromkeys((31, 63), 0.45),  # choroid plexus
    **dict.fromkeys((7, 46), 0.85),  # cerebellar white matter
    **dict.fromkeys((8, 47), 0.55),  # cerebellar cortex
    **dict.fromkeys((10, 49), 0.81),  # thalamus
    **dict.fromkeys((11, 50, 26, 58), 0.62),  # caudate, accumbens
    **dict.fromkeys((12, 51), 0.77),  # putamen
    **dict.fromkeys((13, 52), 0.95),  # pallidum
    **dict.fromkeys((17, 18, 53, 54), 0.60),  # hippocampus, amygdala
    **dict.fromkeys((28, 60), 0.89),  # ventral diencephalon
    **dict.fromkeys((30, 62, 85), 0.55),  # vessels, chiasm
    **dict.fromkeys((251, 252, 253, 254, 255), 1.00),  # corpus callosum
    16: 0.81,  # brain stem
}
FLUID_AROUND = 24  # CSF: inside the skull, of which a stripped brain keeps what lies in the sulci
CLOSING_MM = 4
GRAIN = 0.04  # standard deviation of the intensity within a structure


def labelled_brain(labels: Volume, contrast: float, rng: np.random.Generator) -> Volume:
    """Return a stripped T1-weighted brain drawn from a label map: one intensity per structure, with
    variation within it.

    `contrast` is the standard deviation of the logarithm of each structure's intensity, the same
    left and right. Raises VolumeError if the values are not FreeSurfer labels.
    """
    ids = without_parcels(np.rint(labels.voxels).astype(np.int32))
    present = np.unique(ids)
    values = set(present.tolist())
    if np.abs(labels.voxels - np.rint(labels.voxels)).max() > 1e-3 or not {2, 41} <= values:
        raise VolumeError(
            f"no FreeSurfer label map (values {present[:6].tolist()} ...): labels such as 2 and "
            "41, cerebral white matter, are needed; give `prepare` images, and this its folder"
        )
    if not {3, 42} & values:
        raise VolumeError(
            f"a label map without cortex (largest value {present[-1]}): 3 and 42, or parcels of it "
            "as in aparc+aseg, are needed: is the cortex labelled with other numbers?"
        )

    spread = {
        value: float(np.exp(rng.normal(0, contrast))) for value in sorted(set(BRIGHTNESS.values()))
    }
    table = np.zeros(max(int(present.max()), *BRIGHTNESS) + 1, np.float32)
    for label, value in BRIGHTNESS.items():
        table[label] = value * spread[value]
    image = table[np.clip(ids, 0, None)]
    mask = brain_of_labels(ids, labels.spacing)
    grain = ndimage.gaussian_filter(rng.standard_normal(ids.shape, np.float32), 0.7)
    image = np.where(mask, np.clip(image * (1 + GRAIN / 0.3 * grain), 0.01, None), np.float32(0))
    return Volume(image.astype(np.float32), labels.affine)


def without_parcels(ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return labels in which the parcels of aparc+aseg, aparc.a2009s+aseg and wmparc are replaced
    by their tissue: cortex or white matter.
    """
    out = ids.copy()
    for thousand, tissue in ((1, 3), (2, 42), (3, 2), (4, 41)):
        # 10 more in the atlas of 2009
        out[(ids // 1000 == thousand) | (ids // 1000 == thousand + 10)] = tissue
    out[(ids == 5001)] = 2
    out[(ids == 5002)] = 41
    return out


def brain_of_labels(ids: NDArray[np.int32], spacing: tuple[float, float, float]) -> Mask:
    """Return the brain of a label map (bool): its structures, with the sulci closed."""
    tissue = np.isin(ids, [label for label in BRIGHTNESS if label != FLUID_AROUND])
    around = max(round(CLOSING_MM / min(spacing)), 1)
    return ndimage.binary_fill_holes(ndimage.binary_closing(tissue, iterations=around)) & (
        np.isin(ids, list(BRIGHTNESS))
    )
