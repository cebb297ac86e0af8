"""Simulated lesions: a shape placed by anatomy, painted into a brain, and its exact mask."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.volume import Volume, VolumeError
from neuromf.phantoms.anatomy import Anatomy, box_around
from neuromf.phantoms.dysplasia import dysplasia
from neuromf.phantoms.growth import Field, smooth_noise
from neuromf.phantoms.lesion_config import Contrast, Dysplasia, Kind, LesionConfig, Sclerosis
from neuromf.phantoms.sclerosis import sclerosis
from neuromf.phantoms.shape import Shape

AROUND_MM = 12.0  # standard deviation of the Gaussian that averages the healthy tissue around
UNEVEN = 0.1  # standard deviation of a lesion's contrast within it, a fraction of it
UNEVEN_MM = 3.0  # over which it is smooth
GRAIN = 0.6  # voxels, over which the noise in a lesion is smooth, as resampling leaves it


class Lesion(NamedTuple):
    """A brain with lesions, their mask and a record of them."""

    volume: Volume
    mask: NDArray[np.uint8]  # (D, H, W), 1 in a lesion
    facts: dict[str, Any]  # kind, ml, centre, what was drawn


def add_lesion(
    volume: Volume,
    anatomy: Anatomy,
    kind: Kind,
    contrast: Contrast,
    config: LesionConfig,
    rng: np.random.Generator,
) -> Lesion:
    """Return a brain in [0, 1] with simulated lesions of a kind.

    Every voxel moves by a weight in [0, 1] towards the lesion's level; the mask is where the weight
    is at least a half. Voxels of weight 0 keep their value. `anatomy` is that of the same brain on
    the same grid, `contrast` what the volume shows. Raises VolumeError if the brain cannot hold
    what is asked for.
    """
    if volume.voxels.shape != anatomy.labels.shape:
        raise VolumeError(
            f"the volume has {volume.voxels.shape} voxels, its anatomy {anatomy.labels.shape}: "
            "both must be of one grid"
        )

    kinds: Dysplasia | Sclerosis = config.fcd if kind == "fcd" else config.ms
    if isinstance(kinds, Dysplasia):
        shape = dysplasia(anatomy, kinds, rng)
    else:
        shape = sclerosis(anatomy, kinds, rng)
    level = float(rng.uniform(*(kinds.grey if contrast == "T1w" else kinds.flair)))
    voxels = painted(volume, anatomy, shape, contrast, level, rng)

    centre = np.argwhere(shape.mask).mean(0)
    facts = {
        "kind": f"simulated {kind}",
        "ml": round(float(shape.mask.sum()) * anatomy.voxel_ml, 4),
        "centre_voxel": centre.round(2).tolist(),
        "centre_mm": (volume.affine @ np.append(centre, 1.0))[:3].round(2).tolist(),
        "drawn": shape.drawn | {"contrast": contrast, "level": round(level, 3)},
    }
    return Lesion(Volume(voxels, volume.affine, volume.notes), shape.mask.astype(np.uint8), facts)


def painted(
    volume: Volume,
    anatomy: Anatomy,
    shape: Shape,
    contrast: Contrast,
    level: float,
    rng: np.random.Generator,
) -> Field:
    """Return the voxels with the lesion of a shape.

    `level` is where it lies between the white matter (0) and the grey (1) around it in T1w, and its
    rise over white matter, a fraction of it, in FLAIR.
    """
    box = box_around(np.argwhere(shape.weight > 0), AROUND_MM, anatomy)
    part, weight = anatomy.cut(box), shape.weight[box]
    voxels = volume.voxels[box]
    healthy = weight == 0
    white = local_mean(voxels, part.white & healthy, part.spacing)
    grey = local_mean(voxels, part.cortex & healthy, part.spacing)

    full = level * (grey - white) if contrast == "T1w" else level * white
    uneven = 1 + UNEVEN * smooth_noise(voxels.shape, UNEVEN_MM, part.spacing, rng)
    texture = grain(voxels, part.white & healthy) * smooth_noise(
        voxels.shape, GRAIN * float(part.spacing.min()), part.spacing, rng
    )
    target = white + shape.strength[box] * uneven * full
    # Grey matter loses its contrast to white; what lies beyond the two, fluid mixed in, stays.
    tissue = np.clip(voxels, np.minimum(white, grey), np.maximum(white, grey))
    tissue = np.where(part.white, voxels, tissue)
    moved = np.clip(voxels + weight * (target + texture - tissue), 0, 1)

    out = volume.voxels.copy()
    out[box] = np.where(healthy, voxels, moved).astype(np.float32)
    return out


def local_mean(voxels: Field, where: NDArray[np.bool_], spacing: NDArray[np.float64]) -> Field:
    """Return the local mean of a tissue around each voxel, which follows the field of the coil.

    Raises VolumeError if there is none.
    """
    if not where.any():
        raise VolumeError("no healthy tissue is left around the lesion: ask for a smaller one")
    sigma = AROUND_MM / spacing
    share = ndimage.gaussian_filter(where.astype(np.float32), sigma, mode="nearest")
    total = ndimage.gaussian_filter(np.where(where, voxels, 0), sigma, mode="nearest")
    usual = np.float32(voxels[where].mean())
    # far from any such tissue, its mean over the whole part
    return (total + 1e-3 * usual) / (share + np.float32(1e-3))


def grain(voxels: Field, white: NDArray[np.bool_]) -> float:
    """Return the standard deviation of the noise in white matter away from its border."""
    inner = ndimage.binary_erosion(white)
    if not inner.any():
        return 0.0
    rest = (voxels - ndimage.uniform_filter(voxels, 3))[inner]
    # of the median deviation, which a few vessels do not move
    return float(1.4826 * np.median(np.abs(rest - np.median(rest))))
