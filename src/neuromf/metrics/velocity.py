"""The error of a flow's velocity from near the data to near the noise, measured against the
velocities of single paths, of which it is the mean; and the error of a linear filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from neuromf.flow.path import path_velocity, point_on_path
from neuromf.runtime.device import float64

TIMES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)  # t = 0 is data, t = 1 is noise
Velocity = Callable[[Tensor, Tensor], Tensor]  # of points z (B, C, *spatial) at times t (B,)


@torch.no_grad()
def velocity_loss(
    velocity: Velocity,
    x: Tensor,
    noise: Tensor,
    times: Sequence[float] = TIMES,
    batch: int = 8,
    device: torch.device | str = "cpu",
) -> dict[float, float]:
    """Return the v-loss at each time: the mean of (v(z_t, t) - (noise - x))² over samples, channels
    and voxels of data x and standard normal noise, both (N, C, *spatial).

    `velocity` gets `batch` samples at once, on `device`. Its least value is the variance of
    noise - x where z_t is known, so losses are compared at one time and on the same x and noise.
    Raises ValueError where shapes differ, or without a sample.
    """
    if x.shape != noise.shape or not len(x):
        raise ValueError(
            f"data {tuple(x.shape)}, noise {tuple(noise.shape)}: one shape, with a sample or more"
        )

    found = {}
    for time in times:
        total = 0.0
        for data, drawn in zip(x.split(batch), noise.split(batch), strict=True):
            data, drawn = data.to(device), drawn.to(device)  # noqa: PLW2901 - moved, not another
            t = torch.full((len(data),), time, device=device, dtype=data.dtype)
            error = velocity(point_on_path(data, drawn, t), t) - path_velocity(data, drawn)
            total += float(float64(error).square().sum())
        found[time] = total / x.numel()
    return found


def mean_ratio(losses: Mapping[float, float], reference: Mapping[float, float]) -> float:
    """Return the geometric mean over times of a loss divided by the reference's: below 1 is better
    than the reference. Raises ValueError where the times differ.

    It is the exponential of the mean of log ratios, so that every time counts alike: the losses
    themselves differ by a factor of 30 between t = 0.02 and t = 0.98.
    """
    if not losses or losses.keys() != reference.keys():
        raise ValueError(f"losses at {list(losses)}, reference at {list(reference)}: equal times")
    ratios = torch.tensor([losses[t] / reference[t] for t in losses], dtype=torch.float64)
    return float(ratios.log().mean().exp())
