"""A FLAIR-like contrast, mapped from a T1w brain by its tissues: fluid dark, grey matter brighter
than white.
"""

from __future__ import annotations

import numpy as np

from neuromf.data.volume import Volume

# Over that of white matter, in the 3D FLAIR of three people of `openms-cs` whose T1w image lies on
# the same grid, away from their lesions: fluid 0.26 to 0.33, grey 1.09 and 1.14 in the two with few
# lesions.
FLUID_LEVEL, GREY_LEVEL = 0.3, 1.12
SLOPE = -0.5  # of the map above white matter: what is brighter in T1w is darker
# of the level that the brightest half percent of a healthy brain has: in a real FLAIR, lesions and
# vessels are brighter than cortex, and white matter is at 0.65 to 0.8
HEADROOM = 0.85
NOTE = "FLAIR-like, mapped from T1w"


def flair_like(volume: Volume, means: tuple[float, float, float]) -> Volume:
    """Return a FLAIR-like volume (D, H, W), white matter at its T1w level, 0 outside the brain.

    `means` are the T1w intensities of fluid, grey and white matter. The map is a function of
    intensity alone, linear between the tissues, so voxels of mixed tissue get what lies between.
    """
    fluid, grey, white = means
    top = max(float(volume.voxels.max()), white) + 1e-3
    levels = (0.0, FLUID_LEVEL, GREY_LEVEL, 1.0, max(1 + SLOPE * (top - white) / white, 0.1))
    mapped = np.interp(volume.voxels, (0.0, fluid, grey, white, top), np.array(levels) * white)
    return Volume(mapped.astype(np.float32), volume.affine, volume.notes)
