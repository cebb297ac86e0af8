"""Means over voxels and over a batch that leave out what is masked or not finite."""

from __future__ import annotations

import torch
from torch import Tensor

from neuromf.flow.path import per_sample


def without_nonfinite(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return x and noise with non-finite samples set to 0 (a NaN would reach every
    gradient), and finite samples (B,).
    """
    finite = (torch.isfinite(x) & torch.isfinite(noise)).flatten(1).all(1)
    if finite.all():
        return x, noise, finite
    if not finite.any():
        raise ValueError(
            f"x or noise: all {len(x)} samples hold NaN or Inf; check the "
            "latents (at least one finite sample is needed)"
        )
    keep = per_sample(finite, like=x)
    return torch.where(keep, x, 0.0), torch.where(keep, noise, 0.0), finite


def per_channel(
    name: str, values: tuple[float, ...] | None, default: float, like: Tensor
) -> Tensor:
    """Return one value per channel (C,), `default` where none is given. Raises ValueError
    where there are more or fewer values than channels.
    """
    channels = like.shape[1]
    if values is not None and len(values) != channels:
        raise ValueError(
            f"{name} has {len(values)} values but the data have "
            f"{channels} channels: give one per channel"
        )
    return like.new_tensor(values if values is not None else [default] * channels)


def spatial_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return (B, C), the mean over space, weighted by `mask`."""
    if values.ndim == 2:
        if mask is not None:
            raise ValueError("mask weighs voxels, but the data are vectors (B, C) without any")
        return values
    if mask is None:
        return values.flatten(2).mean(2)
    try:
        mask = mask.to(values).expand_as(values)
    except RuntimeError:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}: it must broadcast to {tuple(values.shape)}"
        ) from None

    area = mask.flatten(2).sum(2)
    if not ((area > 0).all() and (mask >= 0).all()):
        raise ValueError(
            "mask holds negative numbers or is 0 throughout a sample: "
            "weights of voxels, 0 or more, are needed"
        )

    return (values * mask).flatten(2).sum(2) / area


def batch_mean(rows: Tensor, keep: Tensor, empty: float = 0.0) -> Tensor:
    """Return the mean of the kept samples; over none it is `empty`, still attached to the graph."""
    count = keep.sum()
    mean = torch.where(keep, rows, 0.0).sum() / count.clamp(min=1)
    return mean if empty == 0.0 else torch.where(count > 0, mean, empty)
