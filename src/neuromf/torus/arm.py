"""One arm of the torus study: its space, its network, its settings and what it gave."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neuromf.flow import MeanFlow, Ramp, TimeSampler
from neuromf.nets import SMALL, DualTimeUNet, UNetConfig
from neuromf.torus.geometry import Torus, as_volumes, in_dimensions, in_r4


@dataclass(frozen=True)
class Arm:
    """One training: where the torus lies, how the objective is set, how long."""

    space: Literal["r4", "dimensions", "volume"] = "r4"
    dimensions: int = 256  # of the space "dimensions"
    size: int = 16  # voxels per side of the space "volume"
    objective: MeanFlow = field(default_factory=MeanFlow)
    times: TimeSampler = field(default_factory=TimeSampler)
    width: int = 256  # of the MLP, which r4 and dimensions use
    net: UNetConfig = SMALL  # volume uses it
    batch: int = 1024
    epochs: int = 120
    steps: int = 25  # an epoch
    lr: float = 1e-3
    # factor on lr
    lr_decay: Ramp = field(default_factory=lambda: Ramp(1.0, 0.02, 0.4, 1.0, "cosine"))
    ema: float = 0.99
    samples: int = 4096

    def __post_init__(self) -> None:
        for name in ("batch", "epochs", "steps", "samples", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr is {self.lr}: a finite number above 0")

    def torus(self) -> Torus:
        """Return the torus in this arm's space."""
        if self.space == "volume":
            return as_volumes(self.size)
        return in_r4() if self.space == "r4" else in_dimensions(self.dimensions)

    def network(self) -> nn.Module:
        """Return a new network for this arm's space."""
        if self.space == "volume":
            return DualTimeUNet(self.net)
        return TimeMlp(4 if self.space == "r4" else self.dimensions, self.width)


@dataclass(frozen=True)
class Result:
    """What one arm gave: figures, raw loss an epoch, and samples' φ-coordinates
    and angles at 1 and 5 calls.
    """

    metrics: dict[str, Any]
    loss: list[float]
    arrays: dict[str, Tensor]


class TimeMlp(nn.Module):
    """An MLP prediction (B, D) for z (B, D), t and r (B,), conditioned on t and h = t - r."""

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
        prediction: Tensor = self.layers(torch.cat([z, *(f.unsqueeze(1) for f in times)], 1))
        return prediction
