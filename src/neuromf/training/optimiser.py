"""The optimiser's settings and its learning rate over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from neuromf.flow import Ramp
from neuromf.nets.muon import Muon, matrices


@dataclass(frozen=True)
class Optimiser:
    """The optimiser and its learning rate, which is lr x min(1, (update + 1) / warmup) x decay.

    Muon takes the matrices and leaves the rest to AdamW, at the same learning rate.
    """

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of the gradient
    warmup: int = 0  # updates
    decay: Ramp = field(default_factory=lambda: Ramp(1.0, 1.0))  # factor over the run
    kind: Literal["adamw", "muon"] = "adamw"

    def __post_init__(self) -> None:
        if self.kind not in ("adamw", "muon"):
            raise ValueError(f"kind is {self.kind!r}: 'adamw' or 'muon'")
        if not (
            0 < self.lr < math.inf and self.clip > 0 and self.warmup >= 0 and self.weight_decay >= 0
        ):
            raise ValueError(
                f"lr {self.lr}, clip {self.clip}, warmup {self.warmup}, weight_decay "
                f"{self.weight_decay}: lr and clip above 0, the others not below"
            )
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}: each in [0, 1)")

    def of(self, network: nn.Module) -> torch.optim.AdamW:
        """Return an optimiser of the network's trained parameters."""
        if self.kind == "muon":
            return Muon(*matrices(network), self.lr, self.betas, self.weight_decay)
        trained = [p for p in network.parameters() if p.requires_grad]
        return torch.optim.AdamW(trained, self.lr, self.betas, weight_decay=self.weight_decay)

    def factor(self, update: int, updates: int) -> float:
        """Return the learning rate of an update, counted from 0, over `lr`."""
        return min(1.0, (update + 1) / max(1, self.warmup)) * self.decay.at(update / updates)
