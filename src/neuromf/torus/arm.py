"""One arm of the torus study: its space, its network, its settings and what it gave."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neuromf.flow import MeanFlow, Ramp, TimeSampler
from neuromf.flow.network import predict_main
from neuromf.flow.sampler import Solver, Velocity, exponential
from neuromf.nets import SMALL, DualTimeUNet, UNetConfig
from neuromf.nets.config import Precondition
from neuromf.nets.precondition import fit_base, preconditioned
from neuromf.torus.blobs import Blobs
from neuromf.torus.geometry import as_volumes, in_dimensions, in_r4
from neuromf.torus.manifold import Manifold
from neuromf.torus.mlp import TimeMlp
from neuromf.training.distillation import Distillation

FITTED = 1024  # points that the mean and the spectrum of precondition.kind=gaussian are taken from


@dataclass(frozen=True)
class Arm:
    """One training: where the data lie, how the objective is set, how long."""

    # the flat torus in R⁴, in more dimensions or as waves in volumes; volumes with two blobs
    space: Literal["r4", "dimensions", "volume", "blobs"] = "r4"
    dimensions: int = 256  # of the space "dimensions"
    size: int = 16  # voxels per side of the spaces "volume" and "blobs"
    objective: MeanFlow = field(default_factory=MeanFlow)
    times: TimeSampler = field(default_factory=TimeSampler)
    architecture: Literal["auto", "mlp", "unet"] = "auto"  # auto: unet for volume, mlp for others
    width: int = 256  # of the MLP
    net: UNetConfig = SMALL  # the UNet; its latent_channels are those of the space
    precondition: Precondition = field(default_factory=Precondition)
    # names of other arms of the study: the rectified flow that this one learns from, and the one
    # whose averaged weights it begins with, the teacher's where none is named
    teacher: str = ""
    start: str = ""
    distillation: Distillation = field(default_factory=Distillation)
    batch: int = 1024
    epochs: int = 120
    steps: int = 25  # an epoch
    lr: float = 1e-3
    # factor on lr
    lr_decay: Ramp = field(default_factory=lambda: Ramp(1.0, 0.02, 0.4, 1.0, "cosine"))
    ema: float = 0.99
    samples: int = 4096
    calls: tuple[int, ...] = (1, 5)  # of the network, for a sample; 1 is one of them

    def __post_init__(self) -> None:
        for name in ("batch", "epochs", "steps", "samples", "width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 1 or more")
        if not 0 < self.lr < math.inf:
            raise ValueError(f"lr is {self.lr}: a finite number above 0")
        if 1 not in self.calls or list(self.calls) != sorted({c for c in self.calls if c > 0}):
            raise ValueError(f"calls is {self.calls}: rising numbers of network calls from 1 on")
        self._check_together()
        self._check_student()

    def _check_together(self) -> None:
        """Refuse values that are right alone and wrong together."""
        if (self.times.equal_fraction == 1) != (self.objective.jvp == "none"):
            raise ValueError(
                f"times.equal_fraction is {self.times.equal_fraction} with "
                f"objective.jvp={self.objective.jvp}: rectified flow is times.equal_fraction=1 "
                "objective.jvp=none, MeanFlow has a share below 1 and a jvp"
            )
        kind, volumes = self.precondition.kind, self.space in ("volume", "blobs")
        if kind != "none" and self.objective.predict != "u":
            raise ValueError(
                f"precondition.kind={kind} makes a velocity of the network's output, "
                f"objective.predict is {self.objective.predict}: set objective.predict=u"
            )
        for key, value in (("precondition.kind", "gaussian"), ("architecture", "unet")):
            if value in (kind, self.architecture) and not volumes:
                raise ValueError(
                    f"{key}={value} is for volumes, space is {self.space}: space=volume or "
                    "space=blobs"
                )

    def _check_student(self) -> None:
        """Refuse what a student and an arm without a teacher cannot have."""
        if not self.teacher and self.distillation != Distillation():
            raise ValueError(
                "distillation is set and there is no teacher: teacher=ARM, a rectified flow "
                "among the arms"
            )
        if self.teacher and self.objective.jvp == "none":
            raise ValueError(
                f"teacher is {self.teacher!r} with objective.jvp=none: a rectified flow learns "
                "from data alone; a student has a jvp and times.equal_fraction below 1"
            )
        if self.distillation.guide:
            raise ValueError(
                f"distillation.guide is {self.distillation.guide!r}: the teachers of this study "
                "have no guide"
            )

    def manifold(self) -> Manifold:
        """Return where this arm's data lie."""
        if self.space == "blobs":
            return Blobs(self.size)
        if self.space == "volume":
            return as_volumes(self.size)
        return in_r4() if self.space == "r4" else in_dimensions(self.dimensions)

    def network(self) -> nn.Module:
        """Return a new network for this arm's space."""
        manifold = self.manifold()
        shape, std = manifold.shape, manifold.std
        kind = self.architecture if self.architecture != "auto" else _USUAL.get(self.space, "mlp")
        body = (
            DualTimeUNet(replace(self.net, latent_channels=shape[0]))
            if kind == "unet"
            else TimeMlp(math.prod(shape), self.width)
        )

        network = preconditioned(body, self.precondition, std, shape)
        if self.precondition.kind == "gaussian":
            data = manifold.draw(FITTED, torch.Generator().manual_seed(FITTED))
            fit_base(network, list(data / std), std)
        return network

    @property
    def solver(self) -> Solver:
        """How the trained network is sampled: a rectified flow by an exponential integrator where
        part of it is in closed form.
        """
        flow, closed = self.objective.jvp == "none", self.precondition.kind == "gaussian"
        return "exponential" if flow and closed else self.objective.solver

    def velocity(self, network: nn.Module) -> Velocity:
        """Return the velocity u(z, t, r) of the trained network that a step from t to r takes."""
        if self.solver == "exponential":
            closed = exponential(network)
            return lambda z, t, r: predict_main(closed, z, t, r)
        if self.solver == "euler":
            return lambda z, t, r: self.objective.velocity(network, z, t, t)
        return lambda z, t, r: self.objective.velocity(network, z, t, r)


_USUAL = {"volume": "unet"}  # architectures of spaces that do not use the MLP


@dataclass(frozen=True)
class Result:
    """What one arm gave: figures, raw loss an epoch, and samples' φ-coordinates, or angles where
    there are none, at each number of calls.
    """

    metrics: dict[str, Any]
    loss: list[float]
    arrays: dict[str, Tensor]
