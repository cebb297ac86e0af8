"""Where lesions may lie: the ventricles, cortex and white matter of a brain, from its tissues and
its place in MNI152 space.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuromf.data.foreground import Mask
from neuromf.data.volume import Affine, Volume, VolumeError
from neuromf.segmentation.tissue import Labels, classify, ventricle_mask

# Half the cost of 4 mm; ventricles come to lie 1 to 2 mm elsewhere (ten brains), and the regions
# below are cut generously.
REGISTRATION_MM = 6.0
FLUID, GREY, WHITE = 1, 2, 3  # labels of `segmentation.tissue`
LINING_MM = 5.0  # grey voxels nearer to a ventricle are white matter and fluid mixed, or deep grey

Distance = NDArray[np.float32]  # (D, H, W), mm
Box = tuple[slice, slice, slice]


class Anatomy(NamedTuple):
    """What lesions are placed by; each mask and the distance are (D, H, W)."""

    labels: Labels  # 0 outside the brain, 1 fluid, 2 grey, 3 white matter
    means: tuple[float, float, float]  # intensity of fluid, grey and white matter
    ventricles: Mask  # the lateral ventricles
    cortex: Mask  # grey matter of the cerebral hemispheres, without its nuclei
    white: Mask  # white matter of the cerebral hemispheres
    nuclei: Mask  # a box around thalami and basal ganglia
    from_ventricles: Distance  # mm to the nearest voxel of the ventricles
    affine: Affine  # voxels to RAS+ mm
    to_template: Affine  # those to the millimetres of MNI152

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Voxel size along each axis, mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, ml."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def cut(self, box: Box) -> Anatomy:
        """Return the anatomy inside a box of voxels."""
        start = [s.start for s in box]
        affine = self.affine.copy()
        affine[:3, 3] += self.affine[:3, :3] @ start
        return Anatomy(
            self.labels[box],
            self.means,
            self.ventricles[box],
            self.cortex[box],
            self.white[box],
            self.nuclei[box],
            self.from_ventricles[box],
            affine,
            self.to_template,
        )


def find_anatomy(volume: Volume) -> Anatomy:
    """Return the anatomy of a stripped T1w brain in [0, 1].

    Raises ValueError if no brain is found above 0, VolumeError if it does not overlap with the
    template or has no ventricles.
    """
    tissues = classify(volume, REGISTRATION_MM)
    points = template_points(volume, tissues.to_template)
    ventricles = ventricle_mask(volume, tissues) & lateral(points)
    if not ventricles.any():
        raise VolumeError("no ventricles were found: lesions are placed in T1w brains alone")

    distance = ndimage.distance_transform_edt(~ventricles, volume.spacing).astype(np.float32)
    cerebrum = ~hindbrain(points)
    grey, white = tissues.labels == GREY, tissues.labels == WHITE
    nuclei = deep_grey(points)
    cortex = grey & cerebrum & ~nuclei & (distance > LINING_MM)
    fluid_mean, grey_mean, white_mean = tissues.mixture.mean.tolist()

    return Anatomy(
        tissues.labels,
        (fluid_mean, grey_mean, white_mean),
        ventricles,
        cortex,
        white & cerebrum,
        nuclei,
        distance,
        volume.affine,
        tissues.to_template,
    )


def template_points(volume: Volume, to_template: Affine) -> NDArray[np.float32]:
    """Return where each voxel lies in MNI152 space, (3, D, H, W) mm."""
    matrix = (to_template @ volume.affine).astype(np.float32)
    indices = np.indices(volume.voxels.shape, dtype=np.float32)
    offset = matrix[:3, 3][:, None, None, None]
    return np.tensordot(matrix[:3, :3], indices, axes=(1, 0)) + offset


def lateral(points: NDArray[np.float32]) -> Mask:
    """Return True at MNI152 points (3, ...) where deep fluid is in the lateral ventricles, not in
    the third ventricle, around the corpus callosum or in the cisterns behind the midbrain.
    """
    x, y, z = points
    across = np.abs(x)
    cistern = (across < 14) & (y < -28) & (z < 12)
    return (across > 3) & (y < 38) & (z < 30) & ~cistern


def hindbrain(points: NDArray[np.float32]) -> Mask:
    """Return True at MNI152 points (3, ...) in the cerebellum or the brain stem, cut generously.

    The tentorium is taken as a roof that falls to both sides of the midline.
    """
    x, y, z = points
    cerebellum = (y < -32) & (z < -2 - 0.5 * np.abs(x))
    stem = (np.abs(x) < 20) & (y < 0) & (z < -5)
    return cerebellum | stem


def deep_grey(points: NDArray[np.float32]) -> Mask:
    """Return True at MNI152 points (3, ...) in a box around thalami and basal ganglia."""
    x, y, z = points
    return (np.abs(x) < 33) & (y > -35) & (y < 22) & (z > -16) & (z < 16)


def box_around(points: NDArray[np.int64], margin_mm: float, anatomy: Anatomy) -> Box:
    """Return the box of voxels that contains voxels (N, 3) and a margin, inside the volume."""
    margin = np.ceil(margin_mm / anatomy.spacing).astype(int)
    low = np.maximum(points.min(0) - margin, 0)
    high = np.minimum(points.max(0) + margin + 1, anatomy.labels.shape)
    a, b, c = (slice(int(i), int(j)) for i, j in zip(low, high, strict=True))
    return a, b, c
