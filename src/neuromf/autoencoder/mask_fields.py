"""Fields in [0, 1] that stand for lesion masks, so that a network for volumes can take them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from neuromf.autoencoder.signed_distance import signed_distance

Spacing = tuple[float, float, float]  # mm
# A mask (B, 1, D, H, W) of 0 and 1 and the size of its voxels, to a field of the same shape.
ToField = Callable[[Tensor, Spacing], Tensor]

BLUR = 1 / (8 * np.log(2)) ** 0.5  # a Gaussian of one voxel, full width at half maximum


def identity(mask: Tensor, spacing: Spacing) -> Tensor:
    """Return the mask itself."""
    return mask


def smoothed(mask: Tensor, spacing: Spacing) -> Tensor:
    """Return the mask as a scan of its own resolution shows it: borders are partial volumes."""
    blurred = [ndimage.gaussian_filter(m, BLUR, mode="nearest") for m in mask[:, 0].cpu().numpy()]
    return torch.from_numpy(np.stack(blurred))[:, None]


def distance(clip: float) -> ToField:
    """Return a function from masks to signed distances: 0.5 is the border, 0 and 1 are `clip` mm or
    more away from it, outside and inside.
    """

    def field(mask: Tensor, spacing: Spacing) -> Tensor:
        found = [signed_distance(m, spacing, clip) for m in mask[:, 0].cpu().numpy() >= 0.5]
        return torch.from_numpy(np.stack(found))[:, None] / (2 * clip) + 0.5

    return field


def calibrated(field: Tensor, threshold: float) -> Tensor:
    """Return a field in [0, 1] whose threshold is 0.5, of one whose threshold is `threshold`:
    linear below and above it.
    """
    below = 0.5 * field / threshold
    above = 0.5 + 0.5 * (field - threshold) / (1 - threshold)
    return torch.where(field < threshold, below, above).clamp(0, 1)
