"""The lesion mask of a sample: decoded, made binary, freed of specks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from torch import Tensor

from neuromf.autoencoder.mask_codes import MaskCode
from neuromf.data.volume import Volume

LESION_AT = 0.5  # of a decoded field: where its signed distance is 0


@dataclass(frozen=True)
class LesionMask:
    """A binary mask, and what was left out of it."""

    mask: Volume  # 0 and 1, on the grid of the image
    components: int  # connected lesions, by faces, edges and corners
    dropped: int  # components below the smallest volume
    outside_ml: float  # lesion outside the brain, which is left out too

    @property
    def ml(self) -> float:
        """Its volume."""
        return float(self.mask.voxels.sum()) * self.mask.voxel_ml

    def record(self) -> dict[str, Any]:
        """Return what the sidecar of an image says of its mask."""
        return {
            "LesionMl": round(self.ml, 4),
            "Lesions": self.components,
            "LesionsDropped": self.dropped,
            "LesionOutsideBrainMl": round(self.outside_ml, 4),
        }


def decoded_lesion(
    latent: Tensor, code: MaskCode, image: Volume, smallest_ml: float, memory_gb: float | None
) -> LesionMask:
    """Return the mask of a latent (1, C, D, H, W) on the grid of the image it belongs to, whose
    voxels above 0 are brain. Components below `smallest_ml` are left out, and counted.
    """
    field = code.decode(latent, memory_gb)[0, 0].cpu().numpy()
    lesion, brain = field >= LESION_AT, image.voxels > 0
    outside = float((lesion & ~brain).sum()) * image.voxel_ml
    kept, components, dropped = without_specks(lesion & brain, smallest_ml / image.voxel_ml)
    mask = Volume(kept.astype(np.float32), image.affine)
    return LesionMask(mask, components, dropped, outside)


def without_specks(lesion: Any, smallest: float) -> tuple[Any, int, int]:
    """Return a boolean mask without connected components of fewer than `smallest` voxels, and how
    many components stay and go.
    """
    labels, count = ndimage.label(lesion, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    sizes[0] = 0
    keeps = sizes >= max(smallest, 1)
    kept = int(keeps.sum())
    return keeps[labels], kept, count - kept
