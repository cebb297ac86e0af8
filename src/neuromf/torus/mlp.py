"""The network of spaces that are small or quick to learn: an MLP that is told both times."""

from __future__ import annotations

import math
from itertools import pairwise

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
