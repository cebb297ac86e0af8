"""Random shapes that stand for lesions: what a mask autoencoder is trained on. They know nothing of
anatomy, only of sizes, borders and numbers of pieces.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Field = NDArray[np.float32]
Rng = np.random.Generator

VOXEL_ML = 0.008  # of 2 mm
SMALLEST_ML, LARGEST_ML = 0.01, 60.0
EMPTY = 0.03  # share of crops without any lesion
# Kinds of shapes, with their shares.
KINDS = {"blob": 0.35, "pieces": 0.25, "sheet": 0.2, "specks": 0.2}


def draw_mask(rng: Rng, side: int) -> Mask:
    """Return a crop (side, side, side) with one to three random lesions, or none, as they look at
    voxels of 2 mm.
    """
    mask = np.zeros((side, side, side), bool)
    if rng.random() < EMPTY:
        return mask
    for _ in range(rng.choice([1, 2, 3], p=[0.4, 0.3, 0.3])):
        mask |= draw_shape(rng, side)

    if rng.random() < 0.3:
        mask = in_slices(mask, rng)
    if rng.random() < 0.4:
        mask = frayed(mask, rng)
    return turned(mask, rng)


def draw_shape(rng: Rng, side: int) -> Mask:
    """Return a crop (side, side, side) with a shape of a random kind."""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    return {"blob": whole_blob, "pieces": pieces, "sheet": sheet, "specks": specks}[kind](rng, side)


def volume(rng: Rng, smallest: float = SMALLEST_ML, largest: float = LARGEST_ML) -> float:
    """Return a volume, ml, whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))


def whole_blob(rng: Rng, side: int) -> Mask:
    """Return a blob of any size, one in five with a cavity."""
    ml = volume(rng)
    mask = blob(rng, side, ml, spread=0.3)
    if rng.random() < 0.2:
        mask &= ~blob(rng, side, ml * rng.uniform(0.1, 0.5), spread=0.3)
    return mask


def pieces(rng: Rng, side: int) -> Mask:
    """Return several small blobs with the same kind of border."""
    waves = noise(rng, side, scale=rng.uniform(0.8, 4)) * rng.uniform(0, 0.8)
    radius = [
        radius_of(rng, side, volume(rng, largest=1.0), 0.45) for _ in range(rng.integers(2, 8))
    ]
    return np.min(radius, axis=0) + waves < 1


def blob(rng: Rng, side: int, ml: float, spread: float) -> Mask:
    """Return an ellipsoid with a wavy border, whose middle is at most `spread` sides from that of
    the crop.
    """
    radius = radius_of(rng, side, ml, spread)
    waves = rng.uniform(0, 0.8) * noise(rng, side, scale=rng.uniform(0.8, 4))
    return radius + waves < 1


def sheet(rng: Rng, side: int) -> Mask:
    """Return a piece of a curved sheet, as thick as the cortex."""
    shell = radius_of(rng, side, volume(rng, 10, 400), spread=0.5)
    slope = np.sqrt(sum(g**2 for g in np.gradient(shell)))
    waves = rng.uniform(0, 1.5) * noise(rng, side, scale=rng.uniform(2, 5))
    thickness = rng.uniform(1, 3.5)  # voxels

    on_shell = np.abs((shell - 1) / np.maximum(slope, 1e-6) + waves) < thickness / 2
    part = blob(rng, side, volume(rng, 0.5, 30), spread=0.35)
    return on_shell & part


def specks(rng: Rng, side: int) -> Mask:
    """Return pieces of 1 to 30 voxels that hang together."""
    mask = np.zeros((side, side, side), bool)
    for _ in range(rng.integers(1, 6)):
        place = rng.integers(2, side - 2, 3)
        for _ in range(int(np.exp(rng.uniform(0, np.log(30))))):
            mask[tuple(place)] = True
            step = np.zeros(3, int)
            step[rng.integers(3)] = rng.choice([-1, 1])
            if rng.random() < 0.6:
                place = np.clip(place + step, 0, side - 1)
            else:  # a voxel beside the path rather than farther along it
                mask[tuple(np.clip(place + step, 0, side - 1))] = True
    return mask


def radius_of(rng: Rng, side: int, ml: float, spread: float) -> Field:
    """Return the distance (side, side, side) from the middle of a random ellipsoid of a volume, in
    radii: 1 at its surface.
    """
    stretch = np.exp(rng.normal(0, 0.3, 3))
    radii = (3 * ml / VOXEL_ML / (4 * np.pi)) ** (1 / 3) * stretch / stretch.prod() ** (1 / 3)
    middle = (side - 1) / 2 + rng.uniform(-spread, spread, 3) * side
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))

    points = np.indices((side, side, side), np.float32).reshape(3, -1)
    matrix = (turn / radii[:, None]).astype(np.float32)
    found: Field = matrix @ points - (matrix @ middle.astype(np.float32))[:, None]
    return np.sqrt(np.square(found).sum(0)).reshape(side, side, side)


def noise(rng: Rng, side: int, scale: float) -> Field:
    """Return smooth noise (side, side, side) of mean 0 and variance 1, `scale` in voxels."""
    white = rng.standard_normal((side, side, side), np.float32)
    smooth = ndimage.gaussian_filter(white, scale, mode="wrap", truncate=3)
    return (smooth - smooth.mean()) / smooth.std()


def in_slices(mask: Mask, rng: Rng) -> Mask:
    """Return the mask as it was drawn on slices thicker than a voxel."""
    thickness = rng.uniform(1.1, 2.5)  # voxels
    n = mask.shape[0]
    middles = (np.arange(n) // thickness + 0.5) * thickness
    return mask[np.clip(middles.astype(int), 0, n - 1)]


def frayed(mask: Mask, rng: Rng) -> Mask:
    """Return the mask with some voxels at its border changed: a hand's or a threshold's noise."""
    grown, shrunk = ndimage.binary_dilation(mask), ndimage.binary_erosion(mask)
    share = rng.uniform(0, 0.3)
    draws = rng.random(mask.shape)
    return (mask & ~(~shrunk & (draws < share / 2))) | (grown & ~mask & (draws < share / 2))


def turned(mask: Mask, rng: Rng) -> Mask:
    """Return the mask with its axes permuted and flipped at random."""
    mask = mask.transpose(rng.permutation(3))
    return np.ascontiguousarray(np.flip(mask, tuple(np.flatnonzero(rng.random(3) < 0.5).tolist())))
