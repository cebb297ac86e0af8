"""The exponential moving average (EMA) of a network's weights, which sampling uses."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def ema_decay(decay: float, updates: int) -> float:
    """Return the decay at a given number of earlier updates: (1 + n) / (10 +
    n) until `decay` is reached.

    The warm-up lets the average forget its random start early, without a delayed start.
    """
    return min(decay, (1 + updates) / (10 + updates))


def ema_average(decay: float) -> Callable[[Sequence[Tensor], Sequence[Tensor], int | Tensor], None]:
    """Return the in-place update w̄ <- d w̄ + (1 - d) w, in the form that AveragedModel takes."""
    if not 0 <= decay < 1:
        raise ValueError(
            f"decay is {decay}: it must lie in [0, 1); 0.999 suits "
            "short runs, 0.9999 runs over 100k updates"
        )

    @torch.no_grad()
    def update(average: Sequence[Tensor], current: Sequence[Tensor], updates: int | Tensor) -> None:
        weight = 1 - ema_decay(decay, int(updates))
        for mean, value in zip(average, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value.to(mean), weight)
            else:
                mean.copy_(value)

    return update


def ema_model(network: nn.Module, decay: float) -> AveragedModel:
    """Return a copy of `network` to average into; call `update_parameters(network)` once
    per optimiser step.
    """
    average = AveragedModel(network, multi_avg_fn=ema_average(decay), use_buffers=True)
    average.requires_grad_(False)
    # the copy counts as the first term: otherwise the first update would overwrite it
    average.n_averaged += 1
    return average
