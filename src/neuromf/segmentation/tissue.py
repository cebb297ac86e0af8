"""Fluid, grey and white matter of a stripped T1w brain: a mixture of three Gaussians under the
MNI152 tissue priors.
"""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.resample import Grid, resample
from neuromf.data.template import COARSE_MM, mni152, mni152_mask, place_brain
from neuromf.data.volume import Affine, Volume

CLASSES = ("CSF", "GM", "WM")  # labels 1, 2, 3
REGIONS = (*CLASSES, "brain", "ventricles")
METHOD = "tissue mixture (three Gaussians of one variance, MNI152 priors)"
VERSION = 1  # raised when a size changes
ITERATIONS = 30
MOST = 60_000  # voxels that the mixture is fitted to
FLOOR = 0.5  # added to each prior: intensities decide where an average lies only roughly
BLUR_MM = 3.0  # of the priors: the map onto the template follows no gyrus
SMALLEST_ML = 200.0
RIM = 0.5  # of the median: darker border voxels are partly background
RIM_MM = 4.0  # how far from the border such voxels lie
DEEP_MM = 26.0  # from the surface of the template: fluid there is in the ventricles
AROUND_MM = 4.0  # by which that region is grown: ventricles differ in size
LOW_MM = -22.0  # z of MNI space below which deep fluid is a cistern

Labels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Segmentation(NamedTuple):
    """Labels (D, H, W): 0 outside the brain, 1 fluid, 2 grey, 3 white matter; and the volume of
    each of REGIONS in ml.
    """

    labels: Labels
    ml: dict[str, float]


class Mixture(NamedTuple):
    """Mean intensity (3,) of fluid, grey and white matter, and the variance that they share."""

    mean: Floats
    variance: float


class Tissues(NamedTuple):
    """Labels (D, H, W) as in Segmentation, the mixture of intensities, and the affine (4, 4) from
    the brain's RAS+ millimetres to those of MNI152.
    """

    labels: Labels
    mixture: Mixture
    to_template: Affine


def segment(volume: Volume) -> Segmentation:
    """Return the tissues of a stripped T1w volume in [0, 1], and their volumes.

    The brain is grey and white matter; ventricles are the fluid in the template's deep
    region. Raises ValueError if no brain is found above 0, VolumeError if it does not
    overlap with the template.
    """
    tissues = classify(volume)
    labels = tissues.labels
    ml = {name: float((labels == i + 1).sum()) * volume.voxel_ml for i, name in enumerate(CLASSES)}
    ventricles = float(ventricle_mask(volume, tissues).sum()) * volume.voxel_ml

    return Segmentation(labels, ml | {"brain": ml["GM"] + ml["WM"], "ventricles": ventricles})


def classify(volume: Volume, registration_mm: float = COARSE_MM) -> Tissues:
    """Return the tissue of each voxel of a stripped T1w volume in [0, 1], and what it follows from.

    The brain and the template are registered at voxels of `registration_mm`. Raises as `segment`
    does.
    """
    mask = brain_mask(volume)
    start = rough_place(mask, volume.affine)
    to_template = np.linalg.inv(place_brain(volume, start, registration_mm)).astype(np.float64)
    priors = tissue_priors(volume, to_template)
    inside = volume.voxels[mask].astype(np.float64)
    step = max(1, len(inside) // MOST)
    mixture = fit(inside[::step], priors[:, mask][:, ::step])

    labels = np.zeros(volume.voxels.shape, np.uint8)
    labels[mask] = 1 + likelihood(inside, mixture, priors[:, mask]).argmax(0)

    return Tissues(labels, mixture, to_template)


def ventricle_mask(volume: Volume, tissues: Tissues) -> Mask:
    """Return the ventricles (D, H, W): the fluid in the template's deep region."""
    deep = on_grid(template("deep"), volume, tissues.to_template) > 0.5
    return (tissues.labels == 1) & deep


def brain_mask(volume: Volume) -> Mask:
    """Return the largest piece above 0, with its holes filled, without the dim rim that
    interpolation leaves.

    Raises ValueError if it is smaller than any brain.
    """
    pieces, count = ndimage.label(volume.voxels > 0)
    if count:
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        mask = ndimage.binary_fill_holes(pieces == sizes.argmax())
    if not count or mask.sum() * volume.voxel_ml < SMALLEST_ML:
        raise ValueError("no brain above 0: the tissue mixture takes stripped T1w volumes")
    dim = volume.voxels < RIM * np.median(volume.voxels[mask])
    for _ in range(max(1, round(RIM_MM / min(volume.spacing)))):
        mask = mask & ~(dim & ~ndimage.binary_erosion(mask))
    return mask


def fit(values: Floats, priors: Floats) -> Mixture:
    """Return the mixture of intensities (N,) under spatial priors (3, N), by
    expectation maximisation.

    The first step uses the priors alone, so that classes keep their order: fluid darkest, white
    matter brightest.
    """
    posterior = priors / priors.sum(0)
    for _ in range(ITERATIONS):
        weight = posterior.sum(1) + 1e-9
        mean = posterior @ values / weight
        variance = float((posterior * (values - mean[:, None]) ** 2).sum() / weight.sum())
        mixture = Mixture(mean, max(variance, 1e-5))
        posterior = likelihood(values, mixture, priors)
        posterior /= posterior.sum(0) + 1e-300
    return mixture


def likelihood(values: Floats, mixture: Mixture, priors: Floats) -> Floats:
    """Return prior times Gaussian (3, N) of intensities (N,), up to a factor."""
    return priors * np.exp(-((values - mixture.mean[:, None]) ** 2) / (2 * mixture.variance))


def tissue_priors(volume: Volume, to_template: Affine) -> Floats:
    """Return the priors (3, D, H, W) of fluid, grey and white matter on a volume's grid."""
    grey, white = (on_grid(template(name), volume, to_template) for name in ("gm", "wm"))
    priors = np.stack([np.clip(1 - grey - white, 0, 1), grey, white]) + FLOOR
    return priors / priors.sum(0)


def rough_place(mask: Mask, affine: Affine) -> Affine:
    """Return the affine from MNI152 millimetres to a brain's that aligns centres and extents."""
    own_centre, own_spread = extent(mask, affine)
    centre, spread = extent(mni152_mask(), mni152().affine)
    place = np.eye(4)
    place[:3, :3] = np.diag(own_spread / spread)
    place[:3, 3] = own_centre - place[:3, :3] @ centre
    return place


def on_grid(source: Volume, volume: Volume, to_template: Affine) -> Floats:
    """Return a map of the template on a volume's grid."""
    d, h, w = volume.voxels.shape
    return resample(
        source, Grid((d, h, w), to_template @ volume.affine), smooth=False
    ).voxels.astype(np.float64)


@functools.cache
def template(what: Literal["gm", "wm", "deep"]) -> Volume:
    """Return a map of the template: a tissue's probability, blurred, or the region of
    the ventricles.
    """
    if what == "deep":
        return Volume(deep_region().astype(np.float32), mni152().affine)
    return Volume(ndimage.gaussian_filter(mni152(what).voxels, BLUR_MM / 2.355), mni152().affine)


@functools.cache
def deep_region() -> Mask:
    """Return the region of the ventricles: where the template has fluid far from its
    surface, dilated.
    """
    affine = mni152().affine
    depth = ndimage.distance_transform_edt(mni152_mask())
    fluid = (mni152("gm").voxels + mni152("wm").voxels < 0.5) & mni152_mask()
    height = affine[2, 3] + affine[2, 2] * np.arange(fluid.shape[2])
    core = fluid & (depth > DEEP_MM) & (height > LOW_MM)
    pieces, _ = ndimage.label(core)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept = np.isin(pieces, np.flatnonzero(sizes > 100))
    return ndimage.distance_transform_edt(~kept) <= AROUND_MM


def extent(mask: Mask, affine: Affine) -> tuple[Floats, Floats]:
    """Return the middle and the standard deviation along each axis of a mask's voxels, in mm."""
    at = np.argwhere(mask[::2, ::2, ::2]) * 2
    points = at @ affine[:3, :3].T + affine[:3, 3]
    return points.mean(0), points.std(0)
