"""Focal cortical dysplasia of type II: thickened cortex with a blurred border to white matter, with
or without a transmantle tail to the ventricle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from neuromf.data.foreground import Mask
from neuromf.data.volume import VolumeError
from neuromf.phantoms.anatomy import FLUID, LINING_MM, WHITE, Anatomy, Box, box_around
from neuromf.phantoms.growth import Seed, grow, smooth_noise, soft, whole_voxels
from neuromf.phantoms.lesion_config import Dysplasia
from neuromf.phantoms.shape import Shape, log_uniform, offsets_mm, pick

DEEP_MM = 8.0  # from the brain's surface: cortex beyond lies in a sulcus, where most are found
SHALLOW = 0.3  # odds of a lesion nearer to the surface
ROUGH = 0.2  # standard deviation of the logarithm of the noise that distorts the outline
ROUGH_MM = 4.0  # over which that noise is smooth
TAIL_SHARE = 0.4  # of a lesion's volume, at most
TAIL_WHITE = 0.7  # least share of a straight tail, beyond the cortex, that is in white matter
NUCLEI = 8.0  # a lesion spreads this much less far into thalamus and basal ganglia
TRIES = 30  # places for one lesion


def dysplasia(anatomy: Anatomy, config: Dysplasia, rng: np.random.Generator) -> Shape:
    """Return the shape of one dysplasia.

    Raises VolumeError if the cortex cannot hold it.
    """
    ml = log_uniform(config.ml, rng)
    voxels = whole_voxels(ml, config.ml, anatomy.voxel_ml)
    if voxels * anatomy.voxel_ml > hemispheres_ml(anatomy):
        raise no_room(voxels, anatomy)
    flatness = float(rng.uniform(*config.flatness))
    blur_mm = float(rng.uniform(*config.blur_mm))
    tail_mm = float(rng.uniform(*config.tail_mm)) if rng.random() < config.tail else 0.0

    places = anatomy.cortex & ndimage.binary_dilation(anatomy.white)
    if not places.any():
        raise VolumeError("no cortex beside white matter was found: is it a T1w brain?")
    depth = ndimage.distance_transform_edt(anatomy.labels > 0, anatomy.spacing)
    odds = np.where(depth[places] >= DEEP_MM, 1.0, SHALLOW).astype(np.float32)

    for _ in range(TRIES):
        seed = pick(places, odds, rng)
        try:
            box, mask, tailed = lens(anatomy, seed, voxels, flatness, tail_mm, rng)
        except VolumeError:
            continue  # an island of cortex that is too small
        drawn = {
            "flatness": round(flatness, 3),
            "blur_mm": round(blur_mm, 3),
            "tail_mm": round(tail_mm, 3) if tailed else 0.0,
        }
        return whole(anatomy, box, mask, blur_mm, config, drawn)

    raise no_room(voxels, anatomy)


def no_room(voxels: int, anatomy: Anatomy) -> VolumeError:
    """Return the error for a dysplasia that is too large for a brain."""
    return VolumeError(
        f"no room for a dysplasia of {voxels * anatomy.voxel_ml:.4g} ml: cortex and white matter "
        f"of the hemispheres measure {hemispheres_ml(anatomy):.4g} ml; lower lesion.fcd.ml"
    )


def hemispheres_ml(anatomy: Anatomy) -> float:
    """Return the volume in which a dysplasia may lie, ml."""
    return float((anatomy.cortex | anatomy.white).sum()) * anatomy.voxel_ml


def lens(
    anatomy: Anatomy,
    seed: Seed,
    voxels: int,
    flatness: float,
    tail_mm: float,
    rng: np.random.Generator,
) -> tuple[Box, Mask, bool]:
    """Return the box and the mask in it of a lens of cortex and white matter around a voxel, and
    True if it has a tail.
    """
    ventricle = nearest_ventricle(anatomy, seed)
    radius = (3 * flatness * voxels * anatomy.voxel_ml * 1000 / (2 * np.pi)) ** (1 / 3)
    box = box_around(np.array([seed, ventricle]), 1.6 * radius + 8, anatomy)
    part = anatomy.cut(box)
    start = [s.start for s in box]
    a, b, c = (i - s for i, s in zip(seed, start, strict=True))
    tail = transmantle(part, (a, b, c), ventricle - start, tail_mm, TAIL_SHARE * voxels)

    lateral = np.sqrt((offsets_mm(part, (a, b, c)) ** 2).sum(0))
    depth = ndimage.distance_transform_edt(~part.cortex, part.spacing)
    rough = smooth_noise(lateral.shape, ROUGH_MM, part.spacing, rng)
    cost = np.sqrt(lateral**2 + (flatness * depth) ** 2) * np.exp(ROUGH * rough)
    cost[part.nuclei] *= NUCLEI
    allowed = part.cortex | (part.white & (part.from_ventricles > LINING_MM))

    return box, grow(cost, allowed, (a, b, c), voxels, tail), bool(tail.any())


def transmantle(
    anatomy: Anatomy, seed: Seed, ventricle: np.ndarray, tail_mm: float, most: float
) -> Mask:
    """Return a straight tail from a voxel of cortex to one of the ventricles, thinner towards the
    latter, of at most `most` voxels.

    It is empty where `tail_mm` is 0, or the way is not mostly through white matter.
    """
    none = np.zeros(anatomy.labels.shape, bool)
    offset = offsets_mm(anatomy, seed)
    way = (ventricle - np.asarray(seed)) * anatomy.spacing
    length = float(np.linalg.norm(way))
    if not tail_mm or length < 2 * LINING_MM or not is_white(anatomy, seed, way):
        return none

    share = np.clip(np.tensordot(way, offset, axes=(0, 0)) / length**2, 0, 1)
    distance = np.sqrt(((offset - share * way.reshape(3, 1, 1, 1)) ** 2).sum(0))
    # a thinner line of voxels would break
    thinnest = 0.87 * float(anatomy.spacing.max())
    for shrunk in (1.0, 0.8, 0.6, 0.4):
        radius = np.maximum(shrunk * tail_mm * (1 - share / 2), thinnest)
        tail = (distance <= radius) & (anatomy.labels > FLUID)
        if tail.sum() <= most:
            return tail

    return none


def is_white(anatomy: Anatomy, seed: Seed, way: np.ndarray) -> bool:
    """Return True if a straight way in mm leads through no fluid and mostly white matter."""
    steps = max(int(np.linalg.norm(way)), 1)
    inner = np.arange(int(LINING_MM), steps - int(LINING_MM) + 1) / steps
    points = np.asarray(seed) + inner[:, None] * (way / anatomy.spacing)
    labels = anatomy.labels[tuple(np.rint(points).astype(int).T)]
    return bool((labels > FLUID).all() and (labels == WHITE).mean() >= TAIL_WHITE)


def nearest_ventricle(anatomy: Anatomy, seed: Seed) -> np.ndarray:
    """Return the voxel (3,) of the ventricles nearest to a voxel."""
    voxels = np.argwhere(anatomy.ventricles)
    apart = (((voxels - np.asarray(seed)) * anatomy.spacing) ** 2).sum(1)
    return voxels[int(apart.argmin())]


def whole(
    anatomy: Anatomy,
    box: Box,
    inside: Mask,
    blur_mm: float,
    config: Dysplasia,
    drawn: dict[str, Any],
) -> Shape:
    """Return the shape on the whole grid, blurred over `blur_mm` in white matter alone."""
    shape = anatomy.labels.shape
    mask, weight = np.zeros(shape, bool), np.zeros(shape, np.float32)
    mask[box] = inside
    width = np.where(anatomy.white[box], np.float32(blur_mm), np.float32(config.edge_mm))
    own = soft(inside, anatomy.spacing, width)
    weight[box] = np.where(anatomy.labels[box] > FLUID, own, 0)
    return Shape(mask, weight, np.ones(shape, np.float32), drawn)
