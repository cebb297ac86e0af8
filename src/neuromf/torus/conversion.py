"""Conversion on the torus: an arm that begins with another's weights and learns from its flow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from neuromf.flow.network import Condition
from neuromf.flow.trajectory import trajectory
from neuromf.nets.precondition import backbone
from neuromf.pretrained.statedict import load_strict
from neuromf.torus.arm import Arm
from neuromf.torus.mlp import TimeMlp
from neuromf.training.meanflow import MeanFlowTask
from neuromf.training.secants import SecantTask
from neuromf.training.teacher import hold_interval

Weights = Mapping[str, Mapping[str, Tensor]]  # averaged weights of trained arms, by their names
# what arms must share for the weights of one to be the same function in the other
FUNCTION = ("space", "dimensions", "size", "architecture", "width", "net", "precondition")


class ArmTeacher:
    """The velocity and the trajectories of a trained arm, a rectified flow."""

    def __init__(self, arm: Arm, network: nn.Module) -> None:
        self._velocity = arm.velocity(network)

    @torch.no_grad()
    def velocity(
        self, z: Tensor, t: Tensor, r: Tensor | None = None, condition: Condition | None = None
    ) -> Tensor:
        """Return the velocity at z (B, *shape), t (B,), shape of z; with r (B,) that of the
        solver's step from t to r. There are no conditions.
        """
        return self._velocity(z, t, t if r is None else r)

    def trajectory(self, noise: Tensor, steps: int, condition: Condition | None = None) -> Tensor:
        """Return the points (steps + 1, B, *shape) between noise and data."""
        return trajectory(self._velocity, noise, steps)


def check_conversions(arms: Mapping[str, Arm]) -> None:
    """Raise ValueError where an arm names a teacher or a start that there is not, that is no
    rectified flow, or whose weights would be another function in it.
    """
    for name, arm in arms.items():
        for key, other in (("teacher", arm.teacher), ("start", arm.start)):
            if not other:
                continue
            if other not in arms:
                raise ValueError(f"arms.{name}.{key} is {other!r}: the arms are {', '.join(arms)}")
            if key == "teacher" and arms[other].objective.jvp != "none":
                raise ValueError(
                    f"arms.{name}.teacher is {other!r}, which is trained for few calls: a teacher "
                    "is a rectified flow (times.equal_fraction=1 objective.jvp=none)"
                )
            _check_alike(f"arms.{name}.{key}", arm, other, arms[other])

    for name in arms:
        needed(arms, [name])  # a circle of starts is refused


def _check_alike(key: str, arm: Arm, name: str, other: Arm) -> None:
    pairs = {which: (getattr(other, which), getattr(arm, which)) for which in FUNCTION}
    pairs["objective.predict"] = other.objective.predict, arm.objective.predict
    for which, (theirs, own) in pairs.items():
        if theirs != own:
            raise ValueError(
                f"{key} is {name!r}, which has {which}={theirs}, this arm {own}: the weights "
                f"would be another function; set {which}={theirs}"
            )


def needed(arms: Mapping[str, Arm], names: Iterable[str]) -> list[str]:
    """Return `names` and the arms that they begin with and learn from, each after its own. Raises
    ValueError where an arm would begin with itself.
    """
    found: list[str] = []

    def add(name: str, waiting: tuple[str, ...]) -> None:
        if name in waiting:
            raise ValueError(
                f"arms.{name}.start leads back to itself: {' -> '.join((*waiting, name))}"
            )
        for other in (arms[name].teacher, arms[name].start):
            if other:
                add(other, (*waiting, name))
        if name not in found:
            found.append(name)

    for name in names:
        add(name, ())
    return found


def first_network(arm: Arm, weights: Weights) -> nn.Module:
    """Return the network that an arm's training begins with: a new one, that of its start, or its
    teacher's, which then returns the same for every r.
    """
    network = arm.network()
    if arm.start:
        load_strict(network, weights[arm.start], f"start={arm.start}")
    elif arm.teacher:
        load_strict(network, weights[arm.teacher], f"teacher={arm.teacher}")
        hold_interval(network)  # of the UNet
        body = backbone(network)
        if isinstance(body, TimeMlp):
            body.hold_interval()
    return network


def task(
    arm: Arm, network: nn.Module, arms: Mapping[str, Arm], weights: Weights
) -> MeanFlowTask | SecantTask:
    """Return what an arm's network is trained for."""
    if not arm.teacher:
        return MeanFlowTask(network, arm.objective)
    flow = arms[arm.teacher]
    taught = flow.network()
    load_strict(taught, weights[arm.teacher], f"teacher={arm.teacher}")
    teacher = ArmTeacher(flow, taught)
    if arm.distillation.target == "trajectory":
        return SecantTask(network, arm.objective, teacher, arm.distillation.steps)
    return MeanFlowTask(network, arm.objective, teacher=teacher)
