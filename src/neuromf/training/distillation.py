"""How a student learns from its teacher."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from neuromf.flow.network import Condition

ALONE = "unconditional"  # as a guide: the teacher itself, without conditions


@dataclass(frozen=True)
class Distillation:
    """What a student learns from its teacher, a trained rectified flow."""

    # velocity: the teacher's velocity is target and, with objective.tangent=conditional, tangent of
    # the MeanFlow objective (MFD, arXiv 2511.13019); trajectory: average velocities between points
    # of its trajectories, without a derivative (CMT, arXiv 2509.24526)
    target: Literal["velocity", "trajectory"] = "velocity"
    steps: int = 16  # network calls of a trajectory
    pairs: int = 8  # of points on each trajectory that an update learns from
    # a worse model of the same kind, an earlier average perhaps: the teacher is led away from it
    # (autoguidance, arXiv 2406.02507); `unconditional`: the teacher itself, told no conditions
    guide: str = ""
    guidance: float = 1.0  # v + (guidance - 1) (v - the guide's); 1 is off

    def __post_init__(self) -> None:
        if self.target not in ("velocity", "trajectory"):
            raise ValueError(f"target is {self.target!r}: 'velocity' or 'trajectory'")
        if self.steps < 2 or self.pairs < 1:
            raise ValueError(f"steps is {self.steps}, pairs {self.pairs}: 2 or more, 1 or more")
        if not 1 <= self.guidance < math.inf:
            raise ValueError(f"guidance is {self.guidance}: 1, which is none, or more")
        if (self.guidance > 1) != bool(self.guide):
            raise ValueError(
                f"guidance is {self.guidance}, guide {self.guide!r}: a guidance above 1 needs the "
                f"model folder of a guide, or {ALONE}, and a guide a guidance above 1"
            )


class TeachingFlow(Protocol):
    """What a student learns from: a flow's velocity, and the trajectories along it."""

    def velocity(
        self, z: Tensor, t: Tensor, r: Tensor | None = None, condition: Condition | None = None
    ) -> Tensor:
        """Return the velocity at z (B, C, *spatial), t (B,), shape of z; with r (B,) that of the
        flow's own step from t to r.
        """

    def trajectory(self, noise: Tensor, steps: int, condition: Condition | None = None) -> Tensor:
        """Return the points (steps + 1, B, C, *spatial) between noise and data."""
