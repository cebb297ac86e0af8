"""Whole heads of random contrast, drawn from label maps, with the distance to the brain's surface:
what a network learns from to find the brain in any scan (SynthStrip, Hoopes 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.brain_network import FARTHEST_MM, SPACING_MM, scaled
from neuromf.data.foreground import bounds
from neuromf.data.resample import Grid
from neuromf.data.volume import Affine, Volume, VolumeError, Voxels
from neuromf.phantoms.config import Appearance
from neuromf.phantoms.deform import Deformation, random_points, read_at
from neuromf.phantoms.draw import bias_field
from neuromf.phantoms.labels import BRIGHTNESS, FLUID_AROUND, without_parcels

SHAPE = (64, 80, 72)  # voxels of SPACING_MM: 192 x 240 x 216 mm
DEFORMATION = Deformation(warp_mm=5.0, smooth_mm=24.0, scale=0.1, rotation=10.0)
CENTRE_MM = 12.0  # standard deviation of the grid's centre about the brain's, along each axis
T1_LIKE = 0.3  # share of heads with the brain's contrast in T1w
AIR = 0  # the label of what is no head
SULCI_MM = 6.0  # half the width of those that the brain's surface passes over


class Labels(NamedTuple):
    """A label map as heads are drawn from it."""

    classes: NDArray[np.uint8]  # (D, H, W): AIR, structures of the brain, other tissue
    brightness: NDArray[np.float32]  # of each class in T1w; 0 outside the brain
    distance: Volume  # mm to the brain's surface, negative inside, on a grid of SPACING_MM
    affine: Affine  # from voxels of `classes` to RAS+ mm
    spacing: float  # mm


@dataclass(frozen=True)
class Damage:
    """How unlike each other the heads are; every value is the largest that is drawn."""

    noise: float = 0.08  # standard deviation, of the largest intensity
    grain: float = 0.12  # within a structure, standard deviation
    thick_mm: float = 6.0  # slices
    gamma: float = 0.3  # of the exponent's logarithm, standard deviation
    bias: float = 0.35  # of the coil's field, standard deviation of the logarithm
    cut: float = 0.5  # share of heads of which the scanner saw a part
    stripped: float = 0.1  # share of which the brain alone is left


def read_labels(volume: Volume) -> Labels:
    """Return a whole-head label map of 1 mm (FreeSurfer's numbers inside the brain, any outside) as
    heads are drawn from it. Raises VolumeError where it is none.
    """
    labels = volume.canonical()
    ids = without_parcels(np.rint(labels.voxels).astype(np.int32))
    present = np.unique(ids)
    tissue = [i for i in present.tolist() if i != AIR]
    if np.abs(labels.voxels - np.rint(labels.voxels)).max() > 1e-3 or not {2, 41} <= set(tissue):
        raise VolumeError(
            f"no label map of a head (values {present[:6].tolist()} ...): FreeSurfer's numbers are "
            "needed, such as 2 and 41, cerebral white matter, and others for scalp, skull and neck"
        )
    if not set(tissue) - set(BRIGHTNESS):
        raise VolumeError("no label of what lies outside the brain: a whole head is needed")
    if not np.allclose(labels.spacing, labels.spacing[0], rtol=0.01):
        raise VolumeError(f"voxels of {labels.spacing} mm: cubes are needed")

    # left and right look alike: one class for all structures of one brightness
    values = sorted({BRIGHTNESS[i] for i in tissue if i in BRIGHTNESS})
    others = [i for i in tissue if i not in BRIGHTNESS]
    number = {i: 1 + values.index(BRIGHTNESS[i]) for i in tissue if i in BRIGHTNESS}
    number |= {i: 1 + len(values) + k for k, i in enumerate(others)}
    table = np.zeros(int(present.max()) + 1, np.uint8)
    table[list(number)] = list(number.values())
    brightness = np.array([0.0, *values, *(0.0 for _ in others)], np.float32)

    tissue_of_brain = np.isin(ids, [i for i in BRIGHTNESS if i != FLUID_AROUND])
    distance = surface_distance(tissue_of_brain, labels)
    return Labels(table[ids], brightness, distance, labels.affine, labels.spacing[0])


def surface_distance(tissue: NDArray[np.bool_], labels: Volume) -> Volume:
    """Return the distance to the surface of a brain (mm, negative inside, FARTHEST_MM at most), on
    a coarser grid. Its surface passes over the sulci: the tissue is closed by SULCI_MM.
    """
    spacing, size = labels.spacing, labels.spacing[0]
    around = int(np.ceil((FARTHEST_MM + 2 * SULCI_MM) / size))
    first, last = bounds(tissue, 0.0).astype(int)
    box = tuple(slice(max(a - around, 0), b + around + 1) for a, b in zip(first, last, strict=True))
    grown = ndimage.distance_transform_edt(~tissue[box], spacing) <= SULCI_MM
    inside = ndimage.distance_transform_edt(grown, spacing) > SULCI_MM

    # a voxel's centre lies half a voxel from the face between inside and outside
    within = ndimage.distance_transform_edt(inside, spacing) - size / 2
    beyond = ndimage.distance_transform_edt(~inside, spacing) - size / 2
    found = np.full(tissue.shape, FARTHEST_MM, np.float32)
    found[box] = np.clip(np.where(inside, -within, beyond), -FARTHEST_MM, FARTHEST_MM)
    return Volume(*block_mean(found, labels.affine, factor_of(size)))


def factor_of(spacing: float) -> int:
    """Return how many voxels of a label map a voxel of the network's grid measures."""
    return max(round(SPACING_MM / spacing), 1)


def block_mean(voxels: Voxels, affine: Affine, factor: int) -> tuple[Voxels, Affine]:
    """Return means of blocks of factor x factor x factor voxels, and where these lie."""
    d, h, w = (n // factor for n in voxels.shape)
    kept = voxels[: d * factor, : h * factor, : w * factor]
    mean = kept.reshape(d, factor, h, factor, w, factor).mean(axis=(1, 3, 5), dtype=np.float32)
    moved = affine @ np.diag([factor, factor, factor, 1.0])
    moved[:3, 3] = (affine @ [*((factor - 1) / 2,) * 3, 1.0])[:3]
    return mean, moved


def draw_head(
    labels: Labels, rng: np.random.Generator, damage: Damage = Damage()
) -> tuple[Voxels, Voxels]:
    """Return a head (SHAPE, values in [0, 1]) and each voxel's distance to the brain's surface in
    units of FARTHEST_MM, negative inside.
    """
    table = intensities(labels.brightness, rng)
    coarse = Volume(*block_mean(table[labels.classes], labels.affine, factor_of(labels.spacing)))
    grain = rng.uniform(0, damage.grain) * rng.standard_normal(coarse.voxels.shape, np.float32)
    grained = Volume(coarse.voxels * np.clip(1 + grain, 0, None), coarse.affine)

    points = random_points(grid_about(labels.distance, rng), DEFORMATION, rng)
    head = read_at(grained, points)
    distance = FARTHEST_MM - read_at(
        Volume(FARTHEST_MM - labels.distance.voxels, labels.distance.affine), points
    )  # what lies beyond the map is far outside
    if rng.random() < 0.5:
        head, distance = head[::-1], distance[::-1]
    return damaged(head, distance, damage, rng), distance / np.float32(FARTHEST_MM)


def intensities(brightness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a random intensity for each class, 0 for air: any, or the brain's as in T1w and any
    for what surrounds it.
    """
    table = rng.uniform(0.02, 1, len(brightness)).astype(np.float32)
    if rng.random() < T1_LIKE:
        spread = np.exp(rng.normal(0, 0.12, len(brightness))).astype(np.float32)
        table = np.where(brightness > 0, brightness * spread, table)
    table[AIR] = 0
    return table


def grid_about(distance: Volume, rng: np.random.Generator) -> Grid:
    """Return the grid of a head: the network's spacing along the map's axes, the brain near its
    middle.
    """
    middle = np.argwhere(distance.voxels < 0).mean(axis=0)
    centre = (distance.affine @ [*middle, 1.0])[:3] + rng.normal(0, CENTRE_MM, 3)
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = centre - SPACING_MM * (np.array(SHAPE) - 1) / 2
    return Grid(SHAPE, affine)


def damaged(head: Voxels, distance: Voxels, damage: Damage, rng: np.random.Generator) -> Voxels:
    """Return a head as some scanner sees it: thick slices, the coil's field, noise, another scale
    of grey, a part of it alone, or the brain alone.
    """
    spacing = np.diag([SPACING_MM] * 3 + [1.0])
    if rng.random() < damage.stripped:
        head = np.where(distance < rng.uniform(0, 2), head, np.float32(0))
    if rng.random() < 0.5:
        sigmas = np.zeros(3)
        sigmas[rng.integers(3)] = rng.uniform(0, damage.thick_mm) / 2.355 / SPACING_MM
        head = ndimage.gaussian_filter(head, sigmas)
    appearance = Appearance(bias=rng.uniform(0, damage.bias), bias_smooth_mm=40.0)
    head = head * bias_field(Volume(head, spacing), appearance, rng)
    if rng.random() < 0.7:  # else the air is exactly 0, as programs leave it
        head = np.abs(head + rng.uniform(0, damage.noise) * rng.standard_normal(head.shape))
    head = cut(head, distance, rng) if rng.random() < damage.cut else head
    return scaled(head.astype(np.float32)) ** np.float32(np.exp(rng.normal(0, damage.gamma)))


def cut(head: Voxels, distance: Voxels, rng: np.random.Generator) -> Voxels:
    """Return a head with everything set to 0 beyond a plane below the brain, where the neck is, or
    in front of it, as where faces are removed.
    """
    axis, end = (2, 0) if rng.random() < 0.7 else (1, 1)
    along = np.flatnonzero((distance < 0).any(axis=tuple(a for a in range(3) if a != axis)))
    if not len(along):
        return head
    left = head.copy()
    beyond = rng.integers(0, 9)  # voxels between the plane and the brain
    place = [slice(None)] * 3
    edge = along[0] - beyond if end == 0 else along[-1] + 1 + beyond
    edge = int(np.clip(edge, 0, head.shape[axis]))
    place[axis] = slice(0, edge) if end == 0 else slice(edge, None)
    left[tuple(place)] = 0
    return left
