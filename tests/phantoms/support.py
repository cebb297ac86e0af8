import functools

import numpy as np
from scipy import ndimage

from neuromf.data.cohort import finish_cohort, save_entry
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.scan import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume
from neuromf.phantoms.anatomy import LINING_MM, Anatomy
from neuromf.phantoms.config import PhantomConfig
from neuromf.phantoms.lesion_config import LesionConfig
from neuromf.phantoms.lesions import add_lesion
from support import egg, placed

SMALL = PhantomConfig(n=3, spacing=4.0, shape=(40, 48, 40), workers=1)
MEANS = 0.2, 0.55, 0.8  # of fluid, grey and white matter in `simple_brain`


def egg_cohort(folder, margin=1):
    """One person whose brain fills the box but for `margin` voxels above, and three below."""
    folder.mkdir()
    volume, _ = preprocess(egg(placed(spacing=(4.0, 4.0, 4.0))), Preprocessing(4.0, (40, 48, 40)))
    top = np.flatnonzero(volume.voxels.any(axis=(0, 1)))[-1]
    shifted = np.roll(volume.voxels, volume.voxels.shape[2] - 1 - margin - top, axis=2)
    record = save_entry(
        folder, Scan("x", "p"), Volume(shifted, volume.affine), {"split": "train", "notes": []}
    )
    finish_cohort(folder, [record], SplitConfig())
    return folder


@functools.cache
def simple_brain(spacing=2.0) -> tuple[Volume, Anatomy]:
    """A brain of ellipsoids, T1w: white matter in a cortex with gyri, and two ventricles in it."""
    affine = placed(spacing=(spacing,) * 3)
    half = np.ceil(np.array([58.0, 70.0, 54.0]) / spacing).astype(int)
    at = np.indices(2 * half + 1) - half.reshape(3, 1, 1, 1)
    x, y, z = at * spacing
    radius = np.sqrt((x / 52) ** 2 + (y / 64) ** 2 + (z / 48) ** 2)
    folds = 0.05 * np.sin(x / 4) * np.sin(y / 4) * np.sin(z / 4)
    inside = ((np.abs(x) - 12) / 6) ** 2 + (y / 25) ** 2 + (z / 9) ** 2
    labels = np.where(radius > 1, 0, np.where(radius > 0.9 + folds, 2, 3)).astype(np.uint8)
    labels[inside < 1] = 1

    rng = np.random.default_rng(0)
    clean = np.choose(labels, [0.0, *MEANS])
    voxels = ndimage.gaussian_filter(clean, 0.4) + 0.01 * rng.standard_normal(clean.shape)
    voxels = np.where(labels > 0, np.clip(voxels, 0.01, 1), 0).astype(np.float32)
    ventricles = labels == 1
    distance = ndimage.distance_transform_edt(~ventricles, [spacing] * 3).astype(np.float32)
    cortex = (labels == 2) & (distance > LINING_MM)
    none = np.zeros(labels.shape, bool)
    anatomy = Anatomy(
        labels, MEANS, ventricles, cortex, labels == 3, none, distance, affine, np.eye(4)
    )
    return Volume(voxels, affine), anatomy


def lesioned(kind, contrast="T1w", seed=0, spacing=2.0, config=None):
    """A lesion in that brain: the healthy volume, its anatomy, the lesion."""
    volume, anatomy = simple_brain(spacing)
    if contrast == "FLAIR":
        mapped = np.interp(volume.voxels, (0, *MEANS, 1), (0, 0.2, 0.78, 0.7, 0.6))
        volume = Volume(mapped.astype(np.float32), volume.affine)
    rng = np.random.default_rng(seed)
    return (
        volume,
        anatomy,
        add_lesion(volume, anatomy, kind, contrast, config or LesionConfig(), rng),
    )


def labelled_head(spacing=3.0) -> Volume:
    """Return a label map of concentric balls: hemispheres of white matter (40 mm), cortex (60 mm),
    fluid, and scalp (85 mm).
    """
    n = int(192 / spacing)
    place = spacing * (np.indices((n, n, n)) - (n - 1) / 2)
    radius, left = np.linalg.norm(place, axis=0), place[0] < 0
    ids = np.select(
        [radius < 40, radius < 60, radius < 72, radius < 85],
        [np.where(left, 2, 41), np.where(left, 3, 42), 24, 501],
        0,
    )
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = -spacing * (n - 1) / 2
    return Volume(ids.astype(np.float32), affine)
