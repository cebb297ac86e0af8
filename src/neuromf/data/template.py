"""The MNI152 template that nilearn provides, and the affine registration of a scan to
it (SimpleITK).
"""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.foreground import Mask, bounds, foreground
from neuromf.data.reading import read_volume
from neuromf.data.resample import Grid, resample
from neuromf.data.volume import Affine, Volume, VolumeError

RIM_MM = 5  # around the template's brain, used by registration: the dark gap under the skull
DILATION_MM = 2  # the mask is grown by this: an affine map does not follow every gyrus
COARSE_MM = 4.0
FINE_MM = 3.0
CROWN_MM = 92.0  # z of the scalp's top in MNI space
# size of the brain relative to the template, and shift along z, mm
STARTS = tuple((size, shift) for size in (0.8, 0.9) for shift in (-20.0, -8.0, 4.0))
# Largest size of a brain relative to the template, which is larger than most brains: a larger
# scale means that the scalp was taken for the brain.
LARGEST = 1.05
MIDDLE = np.array([0.0, -18.0, 8.0])  # of the template's brain


@functools.cache
def mni152(tissue: Literal["t1", "gm", "wm"] = "t1") -> Volume:
    """Return the skull-stripped MNI152 T1 average or a tissue's probability at 1 mm, in [0,
    1] (Fonov 2011).
    """
    name = f"mni_icbm152_{tissue}_tal_nlin_sym_09a_converted.nii.gz"
    path = Path(str(resources.files("nilearn") / "datasets" / "data" / name))
    volume = read_volume(path).canonical()
    return Volume(volume.voxels / np.float32(255), volume.affine)


@functools.cache
def mni152_mask() -> Mask:
    """Return the brain mask of the template, with its holes filled."""
    return ndimage.binary_fill_holes(mni152().voxels > 0)


def place_in_template(volume: Volume) -> Affine:
    """Return the affine (4, 4) from MNI152 millimetres to the scan's RAS+ millimetres.

    Maximises Mattes' mutual information inside the dilated brain of the template, from coarse to
    fine, from several starting heights. Raises VolumeError if the optimiser finds no overlap, or an
    implausible map.
    """
    import SimpleITK as sitk  # noqa: N813

    # scans run beside each other, and sums keep their order
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    template = mni152()
    mask = ndimage.binary_dilation(mni152_mask(), iterations=RIM_MM)
    head = _crown(volume)
    best: tuple[float, Any] | None = None
    for size, shift in STARTS:
        start = sitk.Similarity3DTransform()
        start.SetCenter(_lps(MIDDLE))
        start.SetScale(size)
        start.SetTranslation(
            _lps(
                head
                - np.array([0.0, MIDDLE[1], MIDDLE[2] + size * (CROWN_MM - MIDDLE[2])])
                + np.array([0.0, 0.0, shift])
            )
        )
        try:
            value, placed = _register(template, mask, volume, start, COARSE_MM, 80)
        except RuntimeError:
            continue
        if placed.GetScale() < LARGEST and (best is None or value < best[0]):
            best = value, placed
    if best is None:
        raise VolumeError(
            "template: no overlap with the MNI152 template: is it a head, and is the affine right?"
        )
    start = sitk.AffineTransform(3)
    start.SetCenter(_lps(MIDDLE))
    start.SetMatrix(best[1].GetMatrix())
    start.SetTranslation(best[1].GetTranslation())
    _, placed = _register(template, mask, volume, start, FINE_MM, 100)
    affine = _ras(placed)
    stretch = np.linalg.svd(affine[:3, :3], compute_uv=False)
    if stretch.min() < 0.6 or stretch.max() > 1.6:
        raise VolumeError(
            f"template: the scan would have to be stretched by {stretch.min():.2f} to "
            f"{stretch.max():.2f}: is it a whole head? give masks in a table, or take "
            "preprocessing.strip.method=synthstrip"
        )
    return affine


def place_brain(volume: Volume, start: Affine, spacing: float = COARSE_MM) -> Affine:
    """Return the affine (4, 4) from MNI152 millimetres to a stripped brain's RAS+ millimetres,
    starting from `start`.

    Maximises Mattes' mutual information inside the template's brain, both sampled at `spacing` mm.
    Raises VolumeError if the two do not overlap.
    """
    import SimpleITK as sitk  # noqa: N813

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    affine = sitk.AffineTransform(3)
    affine.SetCenter(_lps(MIDDLE))
    flip = np.diag([-1.0, -1.0, 1.0])
    matrix = flip @ start[:3, :3] @ flip
    affine.SetMatrix(matrix.ravel().tolist())
    affine.SetTranslation(_lps(start[:3, :3] @ MIDDLE + start[:3, 3] - MIDDLE))
    try:
        _, placed = _register(mni152(), mni152_mask(), volume, affine, spacing, 60)
    except RuntimeError as error:
        raise VolumeError(
            f"template: the brain does not overlap with MNI152 ({str(error).splitlines()[-1]})"
        ) from None
    return _ras(placed)


def template_mask(volume: Volume) -> tuple[Mask, dict[str, Any]]:
    """Return the template's brain, dilated, in the scan's voxels, and how the scan lies
    in the template.
    """
    placed = place_in_template(volume)
    grown = ndimage.binary_dilation(mni152_mask(), iterations=DILATION_MM)
    brain = Volume(grown.astype(np.float32), placed @ mni152().affine)
    inside = resample(brain, Grid(volume.voxels.shape, volume.affine), smooth=False).voxels > 0.5
    return inside, {
        "template": "MNI152 2009a symmetric",
        "mni_to_scan": placed.round(5).tolist(),
        "dilated_mm": DILATION_MM,
    }


def _register(
    template: Volume, mask: Mask, volume: Volume, start: Any, spacing: float, iterations: int
) -> tuple[float, Any]:
    import SimpleITK as sitk  # noqa: N813

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(
        sitk.Cast(
            _image(Volume(mask.astype(np.float32), template.affine), spacing) > 0.5, sitk.sitkUInt8
        )
    )
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, iterations, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(_image(template, spacing), _image(volume, spacing))
    return method.GetMetricValue(), start


def _image(volume: Volume, spacing: float) -> Any:
    """Return a SimpleITK image (LPS) of the volume, with a spacing of at least `spacing` mm."""
    import SimpleITK as sitk  # noqa: N813

    canonical = volume.canonical()
    size = np.asarray(canonical.spacing)
    coarse = np.maximum(size, spacing)
    shape = np.maximum(np.ceil(np.asarray(canonical.voxels.shape) * size / coarse), 1).astype(int)
    affine = canonical.affine @ np.diag([*(coarse / size), 1.0])
    small = resample(canonical, Grid(tuple(shape.tolist()), affine))
    image = sitk.GetImageFromArray(np.ascontiguousarray(small.voxels.transpose(2, 1, 0)))
    u, _, vt = np.linalg.svd(affine[:3, :3] / coarse)
    image.SetSpacing(coarse.tolist())
    image.SetOrigin(_lps(affine[:3, 3]))
    image.SetDirection((np.diag([-1.0, -1.0, 1.0]) @ (u @ vt)).ravel().tolist())
    return image


def _crown(volume: Volume) -> NDArray[np.float64]:
    """Return the millimetres (RAS) of the head's top: middle of the upper 150 mm across,
    highest voxel along z.
    """
    canonical = volume.canonical()
    mask = foreground(canonical).mask
    top = bounds(mask, 1e-3)[1, 2]
    upper = mask.copy()
    upper[:, :, : max(int(top - 150 / canonical.spacing[2]), 0)] = False
    middle = bounds(upper, 1e-3).mean(axis=0)
    middle[2] = top
    return (canonical.affine @ np.append(middle, 1.0))[:3]


def _lps(point: NDArray[np.float64]) -> list[float]:
    return [-float(point[0]), -float(point[1]), float(point[2])]


def _ras(transform: Any) -> Affine:
    """Return a SimpleITK affine (LPS millimetres) as a matrix on RAS+ millimetres."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(transform.GetMatrix()).reshape(3, 3)
    centre = np.asarray(transform.GetCenter())
    matrix[:3, 3] = np.asarray(transform.GetTranslation()) + centre - matrix[:3, :3] @ centre
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return flip @ matrix @ flip
