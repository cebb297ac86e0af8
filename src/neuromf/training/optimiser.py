"""AdamW's settings and its learning rate over a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from neuromf.flow import Ramp


@dataclass(frozen=True)
class Optimiser:
    """AdamW and its learning rate, which is lr x min(1, (update + 1) / warmup) x decay."""

    lr: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of the gradient
    warmup: int = 0  # updates
    decay: Ramp = field(default_factory=lambda: Ramp(1.0, 1.0))  # factor over the run

    def __post_init__(self) -> None:
        if not (
            0 < self.lr < math.inf and self.clip > 0 and self.warmup >= 0 and self.weight_decay >= 0
        ):
            raise ValueError(
                f"lr {self.lr}, clip {self.clip}, warmup {self.warmup}, weight_decay "
                f"{self.weight_decay}: lr and clip above 0, the others not below"
            )
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas are {self.betas}: each in [0, 1)")

    def factor(self, update: int, updates: int) -> float:
        """Return the learning rate of an update, counted from 0, over `lr`."""
        return min(1.0, (update + 1) / max(1, self.warmup)) * self.decay.at(update / updates)
