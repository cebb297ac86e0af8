"""The network of spaces that are small or quick to learn: an MLP that is told both times."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn


class TimeMlp(nn.Module):
    """An MLP prediction for z (B, *shape) of D numbers each, t and r (B,), conditioned on t and
    h = t - r.
    """

    def __init__(self, dimensions: int, width: int) -> None:
        super().__init__()
        sizes = [dimensions + 6, width, width, width, width]
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.SiLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(width, dimensions))

    @torch.no_grad()
    def hold_interval(self) -> None:
        """Make a network that was trained at r = t return the same output for every r."""
        first: Any = self.layers[0]
        of_interval = first.weight[:, -3:]  # of h, cos πh and sin πh, which are 0, 1, 0 at h = 0
        first.bias += of_interval[:, 1]
        of_interval.zero_()

    def forward(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Return the prediction, shape of z."""
        times = [
            f
            for time in (t, t - r)
            for f in (time, torch.cos(math.pi * time), torch.sin(math.pi * time))
        ]
        flat = torch.cat([z.flatten(1), *(f.unsqueeze(1) for f in times)], 1)
        prediction: Tensor = self.layers(flat)
        return prediction.reshape(z.shape)
