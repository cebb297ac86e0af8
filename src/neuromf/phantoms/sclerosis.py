"""Lesions like those of multiple sclerosis: several, in the white matter near the ventricles."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromf.data.foreground import Mask
from neuromf.data.volume import VolumeError
from neuromf.phantoms.anatomy import FLUID, Anatomy, Box, box_around
from neuromf.phantoms.growth import Field, Seed, grow, smooth_noise, soft, whole_voxels
from neuromf.phantoms.lesion_config import Sclerosis
from neuromf.phantoms.shape import Shape, log_uniform, offsets_mm, pick

NEAR_MM = 4.0  # from a ventricle; over this distance the odds of a lesion's start fall e-fold
ROUGH = 0.25  # standard deviation of the logarithm of the noise that distorts an ellipsoid
ROUGH_MM = 2.5  # over which that noise is smooth
FAINTEST = 0.7  # of the contrast of a brain's lesions: some are fainter than others
NUCLEI = 8.0  # a lesion spreads this much less far into thalamus and basal ganglia
TRIES = 30  # places for one lesion


def sclerosis(anatomy: Anatomy, config: Sclerosis, rng: np.random.Generator) -> Shape:
    """Return the shape of several periventricular lesions, none of which overlap.

    Raises VolumeError if the white matter near the ventricles cannot hold them.
    """
    count = int(rng.integers(config.n[0], config.n[1] + 1))
    shape = anatomy.labels.shape
    mask, weight, strength = (np.zeros(shape, kind) for kind in (bool, np.float32, np.float32))
    drawn = []

    for _ in range(count):
        box, one, lesion = place(anatomy, mask, config, rng)
        mask[box] |= one
        own = np.where(anatomy.labels[box] > FLUID, soft(one, anatomy.spacing, config.edge_mm), 0)
        # where the borders of two lesions meet, the voxel belongs to the nearer one
        nearer = own > weight[box]
        weight[box][nearer] = own[nearer]
        strength[box][nearer] = lesion["strength"]
        drawn.append(lesion)

    return Shape(mask, weight, strength, {"n": count, "lesions": drawn})


def place(
    anatomy: Anatomy, taken: Mask, config: Sclerosis, rng: np.random.Generator
) -> tuple[Box, Mask, dict[str, Any]]:
    """Return the box and the mask in it of one lesion outside those before it, and what was drawn.

    Raises VolumeError if there is no room for it.
    """
    ml = log_uniform(config.ml, rng)
    voxels = whole_voxels(ml, config.ml, anatomy.voxel_ml)
    elongation = float(rng.uniform(*config.elongation))
    lesion = {
        "ml": round(voxels * anatomy.voxel_ml, 4),
        "elongation": round(elongation, 3),
        "strength": round(float(rng.uniform(FAINTEST, 1)), 3),
    }

    near = anatomy.white & ~anatomy.nuclei & ~taken
    near &= anatomy.from_ventricles <= config.reach_mm
    odds = np.exp(-anatomy.from_ventricles[near] / NEAR_MM)
    possible = near.any() and voxels <= (anatomy.white & ~taken).sum()
    for _ in range(TRIES if possible else 0):
        seed = pick(near, odds, rng)
        try:
            box, mask = ellipsoid(anatomy, taken, seed, voxels, elongation, rng)
        except VolumeError:
            continue  # a bay of white matter that is too small
        return box, mask, lesion

    raise VolumeError(
        f"no room for a lesion of {lesion['ml']:g} ml in the white matter within "
        f"{config.reach_mm:g} mm of the ventricles: ask for fewer or smaller ones"
    )


def ellipsoid(
    anatomy: Anatomy,
    taken: Mask,
    seed: Seed,
    voxels: int,
    elongation: float,
    rng: np.random.Generator,
) -> tuple[Box, Mask]:
    """Return the box and the mask in it of a rough ellipsoid of white matter, longest away from the
    ventricle.
    """
    radius = (3 * voxels * anatomy.voxel_ml * 1000 / (4 * np.pi)) ** (1 / 3)
    box = box_around(np.array([seed]), 2 * elongation * radius + 4, anatomy)
    part = anatomy.cut(box)
    a, b, c = (i - s.start for i, s in zip(seed, box, strict=True))
    away = direction(part.from_ventricles, (a, b, c), part.spacing)

    offset = offsets_mm(part, (a, b, c))
    along = np.tensordot(away, offset, axes=(0, 0))
    across = np.sqrt(np.maximum((offset**2).sum(0) - along**2, 0))
    rough = smooth_noise(along.shape, ROUGH_MM, part.spacing, rng)
    cost = np.sqrt((along / elongation) ** 2 + across**2) * np.exp(ROUGH * rough)

    cost[part.nuclei] *= NUCLEI

    return box, grow(cost, part.white & ~taken[box], (a, b, c), voxels)


def direction(distance: Field, at: Seed, spacing: np.ndarray) -> np.ndarray:
    """Return the unit vector (3,), along the axes of the grid, in which a distance grows most."""
    slopes = []
    for axis in range(3):
        low, high = list(at), list(at)
        low[axis], high[axis] = (
            max(at[axis] - 1, 0),
            min(at[axis] + 1, distance.shape[axis] - 1),
        )
        run = max(high[axis] - low[axis], 1) * spacing[axis]
        slopes.append((distance[tuple(high)] - distance[tuple(low)]) / run)

    slope = np.asarray(slopes, dtype=np.float64)
    length = float(np.linalg.norm(slope))
    return slope / length if length else np.array([1.0, 0.0, 0.0])
