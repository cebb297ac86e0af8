"""Small volumes as generate and prepare write them, and a cache of their own."""

import numpy as np
from scipy import ndimage

from neuromf.data.volume import Volume, write_volume
from support import placed


def blob(seed, shape=(32, 36, 32), contrast=1.0, shift=0.0):
    """A smooth brain-like volume in [0, 1], 0 outside an ellipsoid."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), 3)
    grid = np.stack(np.meshgrid(*(np.linspace(-1.25, 1.25, m) for m in shape), indexing="ij"))
    values = np.clip(0.45 + shift + contrast * noise / noise.std() / 8, 0.02, 1)
    return Volume(
        np.where((grid**2).sum(0) < 1, values, 0).astype(np.float32),
        placed(spacing=(6.0, 6.0, 6.0)),
    )


def write_set(folder, seeds, **changes):
    """Write volumes as a folder of NIfTI files."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        write_volume(folder / f"v{seed:03d}_T1w.nii.gz", blob(seed, **changes))
    return folder
