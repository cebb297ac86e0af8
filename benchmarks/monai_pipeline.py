"""The steps of `neuromf prepare` without strip and N4 as a plain MONAI Compose, to
compare speed and values with, on the CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from monai.transforms import (
    Compose,
    CropForeground,
    EnsureChannelFirst,
    GaussianSmooth,
    Lambda,
    LoadImage,
    Orientation,
    ResizeWithPadOrCrop,
    Spacing,
)
from numpy.typing import NDArray


def pipeline(spacing: float, shape: tuple[int, int, int], percentile: float = 99.5) -> Compose:
    """Return load, RAS, smoothing where voxels grow, spacing, percentile scaling,
    crop and pad around the brain.
    """

    def smooth(image: Any) -> Any:
        size = np.asarray(image.pixdim, dtype=float)
        sigma = np.sqrt(np.clip(spacing**2 - size**2, 0, None) / (8 * np.log(2))) / size
        return (
            GaussianSmooth(sigma=[max(float(s), 1e-6) for s in sigma])(image)
            if sigma.any()
            else image
        )

    def scale(image: Any) -> Any:
        above = image[image > 0]
        return (image / np.percentile(above.numpy(), percentile)).clip(0, 1)

    return Compose(
        [
            LoadImage(image_only=True),
            EnsureChannelFirst(),
            Orientation(axcodes="RAS", labels=None),
            Lambda(smooth),
            Spacing(pixdim=(spacing,) * 3, mode="bilinear", padding_mode="zeros"),
            Lambda(scale),
            CropForeground(select_fn=above_zero, allow_smaller=True),
            ResizeWithPadOrCrop(shape),
        ]
    )


def above_zero(image: Any) -> Any:
    return image > 0


def monai_prepared(
    path: Path, spacing: float, shape: tuple[int, int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return the prepared voxels (D, H, W) and their affine."""
    image = pipeline(spacing, shape)(str(path))
    return image[0].numpy(), np.asarray(image.affine)
