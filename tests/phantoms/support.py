import numpy as np

from neuromf.data.cohort import finish_cohort, save_entry
from neuromf.data.preprocess import Preprocessing, preprocess
from neuromf.data.scan import Scan
from neuromf.data.splits import SplitConfig
from neuromf.data.volume import Volume
from neuromf.phantoms.config import PhantomConfig
from support import egg, placed

SMALL = PhantomConfig(n=3, spacing=4.0, shape=(40, 48, 40), workers=1)


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
