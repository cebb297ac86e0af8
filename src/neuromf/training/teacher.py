"""The teacher of a conversion: a trained rectified flow, whose velocity is accurate, but takes
many network calls to follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from neuromf.autoencoder.components import same_components
from neuromf.flow import MeanFlow
from neuromf.flow.network import Condition
from neuromf.flow.sampler import exponential
from neuromf.flow.trajectory import trajectory
from neuromf.generation.model import Model, load_model
from neuromf.nets.precondition import backbone
from neuromf.nets.unet import DualTimeUNet
from neuromf.training.checkpoint import Origin, told, told_conditions
from neuromf.training.config import TrainConfig
from neuromf.training.distillation import ALONE


class Teacher:
    """The velocity of a model, led away from that of a worse one if there is a guide."""

    def __init__(self, model: Model, guide: Model | None = None, guidance: float = 1.0) -> None:
        self.model, self.guide, self.guidance = model, guide, guidance
        self._objective = MeanFlow(predict=model.config.predict)

    @property
    def sha256(self) -> str:
        """Fingerprint of the weights, the guide's too."""
        own = [m.sha256 for m in (self.model, self.guide) if m is not None]
        return " ".join(own)

    @torch.no_grad()
    def velocity(
        self, z: Tensor, t: Tensor, r: Tensor | None = None, condition: Condition | None = None
    ) -> Tensor:
        """Return the velocity at z (B, C, *spatial), t (B,), shape of z; with r (B,) the velocity
        of its own solver's step from t to r.
        """
        r = t if r is None else r
        v = self._of(self.model, z, t, r, condition)
        if self.guide is None:
            return v
        return v + (self.guidance - 1) * (v - self._of(self.guide, z, t, r, condition))

    def trajectory(self, noise: Tensor, steps: int, condition: Condition | None = None) -> Tensor:
        """Return the points (steps + 1, B, C, *spatial) between noise and data."""
        return trajectory(lambda z, t, r: self.velocity(z, t, r, condition), noise, steps)

    def _of(
        self, model: Model, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None
    ) -> Tensor:
        network = model.network.to(z.device)
        if model.config.solver == "exponential":
            return self._objective.velocity(exponential(network), z, t, r, condition)
        return self._objective.velocity(network, z, t, t, condition)


class WithoutConditions(nn.Module):
    """A network whose conditions are not passed on to it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        found: Tensor | tuple[Tensor, Tensor] = self.network(z, t, r)
        return found

    def exponential(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """Return the step of an exponential integrator, of a network that has one."""
        found: Tensor = exponential(self.network)(z, t, r)  # type: ignore[assignment]
        return found


def hold_interval(network: nn.Module) -> None:
    """Make a network that was trained at r = t return the same output for every r: the branch of
    the interval returns a constant, from which its last layer can begin to learn.
    """
    unet = backbone(network)
    if not isinstance(unet, DualTimeUNet) or unet.config.conditioning != "t_h":
        return
    with torch.no_grad():
        last: Any = unet.interval_embed[-1]
        at_zero = unet.interval_embedding(torch.zeros(1, device=last.bias.device))[0]
        last.weight.zero_()
        last.bias.copy_(at_zero)


def load_teacher(config: TrainConfig, origin: Origin) -> Teacher | None:
    """Return the teacher of a training on latents of an origin, if it has one. Raises ValueError
    where the teacher, or its guide, is of other latents or no rectified flow.
    """
    if not config.teacher:
        return None
    model = load_model(config.teacher)
    check_teacher(f"teacher={config.teacher}", model, config, origin)
    wanted = config.distillation
    if not wanted.guide:
        return Teacher(model)

    if wanted.guide == ALONE:
        without = replace(model, network=WithoutConditions(model.network))
        return Teacher(model, without, wanted.guidance)
    guide = load_model(wanted.guide)
    name = f"distillation.guide={wanted.guide}"
    check_teacher(name, guide, config, origin)
    if guide.config.predict != model.config.predict:
        raise ValueError(
            f"distillation.guide={wanted.guide} predicts {guide.config.predict}, the teacher "
            f"{model.config.predict}: give an earlier average of the teacher"
        )
    return Teacher(model, guide, wanted.guidance)


def check_teacher(name: str, model: Model, config: TrainConfig, origin: Origin) -> None:
    """Raise ValueError where a model cannot teach a training on latents of an origin."""
    own, components, stats = model.config, origin.components, origin.stats
    spacing, conditions = tuple(origin.spacing), origin.conditions
    if not same_components(own.components, components):
        raise ValueError(
            f"{name} was trained on latents of {told(own.components)}, {config.latents} holds "
            f"latents of {told(components)}: encode with the same VAE, or give another teacher"
        )
    if own.solver == "average":
        raise ValueError(
            f"{name} is itself trained for few calls: a teacher is a rectified flow "
            "(times.equal_fraction=1 objective.jvp=none)"
        )
    if own.spacing != spacing:
        raise ValueError(
            f"{name} draws voxels of {_mm(own.spacing)}, {config.latents} holds latents of voxels "
            f"of {_mm(spacing)}: give a teacher for that spacing; `neuromf import-maisi spacing=` "
            "makes one of MAISI's flow"
        )
    if own.latent_scale != config.latent_scale:
        raise ValueError(
            f"{name} was trained with latent_scale={own.latent_scale}, this run has "
            f"{config.latent_scale}: set latent_scale={own.latent_scale}"
        )
    if own.conditions != conditions:
        raise ValueError(
            f"{name} was trained with conditions {told_conditions(own.conditions)}, this run has "
            f"{told_conditions(conditions)}: give both the same conditions, table and latents"
        )
    if (own.stats.mean, own.stats.std) != (stats.mean, stats.std):
        raise ValueError(
            f"{name} was trained on latents with other means and deviations than {config.latents} "
            "has: train it on these latents"
        )


def check_same_teacher(checkpoint: Mapping[str, Any], teacher: Teacher | None, where: str) -> None:
    """Raise ValueError where a run was taught by other weights before it was stopped."""
    before, now = checkpoint.get("teacher", ""), "" if teacher is None else teacher.sha256
    if before != now:
        raise ValueError(
            f"{where} was taught by the model {before[:16]}, the teacher's folder holds "
            f"{now[:16]} now: put the first one back, or choose another out=FOLDER"
        )


def _mm(spacing: tuple[float, ...]) -> str:
    return " x ".join(f"{s:g}" for s in spacing) + " mm"
