"""Classifier-free guidance inside the training target, so that one guided call stays one call
(improved MeanFlow, arXiv 2512.02012, section 4.3).

The network takes the scale w and the interval of t in which it acts as inputs, under the name
GUIDANCE of a condition: a tensor (B, 3) of w >= 1, the first t and the last t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuromf.flow.network import (
    Condition,
    Network,
    predict_head,
    predict_main,
    scatter,
    select,
    select_condition,
)
from neuromf.flow.objective import MeanFlow
from neuromf.flow.path import path_velocity, per_sample, point_on_path, to_velocity

GUIDANCE = "guidance"
OFF = (1.0, 0.0, 1.0)  # no guidance: w = 1, at every t


@dataclass(frozen=True)
class Guidance:
    """How a network with conditions also learns to work without them, and to be guided."""

    dropout: float = 0.1  # share of the samples that lose all conditions
    # scales w from 1 to this one are trained, the network takes w and the interval of t in which it
    # acts as inputs; 1 is none
    largest: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: 0 or more, below 1; 0.1 is usual")
        if not 1 <= self.largest < math.inf:
            raise ValueError(f"largest is {self.largest}: 1, which is none, or more; 3 is usual")
        if self.largest > 1 and self.dropout == 0:
            raise ValueError(
                f"largest is {self.largest} and dropout is 0: guidance leads away from what the "
                "network draws without conditions, which it learns from dropped ones"
            )

    def draw(self, n: int, drawn: torch.Generator) -> Tensor:
        """Return n draws of w, first and last t (n, 3): log w uniform up to the largest, the
        interval around t = 1/2 (improved MeanFlow, arXiv 2512.02012, appendix).
        """
        w = torch.exp(math.log(self.largest) * torch.rand(n, generator=drawn))
        first, last = 0.5 * torch.rand(2, n, generator=drawn)
        return torch.stack([w, first, 0.5 + last], 1)


def guidance_of(condition: Condition) -> Tensor:
    """Return the guidance (B, 3) of a condition. Raises ValueError where it has none."""
    guidance = condition.get(GUIDANCE)
    if guidance is None or guidance.ndim != 2 or guidance.shape[1] != len(OFF):
        found = "none" if guidance is None else str(tuple(guidance.shape))
        raise ValueError(
            f"condition[{GUIDANCE!r}] has shape {found}: (B, 3) is needed, the scale w and the "
            "first and last t at which it acts"
        )
    return guidance


def scale_at(guidance: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """Return the scale w (B,) that acts at times t (B,): 1 outside the interval of the guidance
    (B, 3). Samples with r = t are guided at every t.
    """
    w, first, last = guidance.to(t).unbind(1)
    acts = (r == t) | ((first <= t) & (t <= last))
    return torch.where(acts, w, torch.ones_like(w))


def at_every_time(condition: Condition, w: Tensor) -> Condition:
    """Return a condition with the scale w (B,) at every t."""
    return condition | {GUIDANCE: torch.stack([w, torch.zeros_like(w), torch.ones_like(w)], 1)}


def guided(target: Tensor, with_condition: Tensor, without: Tensor, w: Tensor) -> Tensor:
    """Return the guided velocity, shape of the target: noise - x moved by (1 - 1/w) times what the
    condition changes in the network's own velocity, w (B,).

    The network's velocity is itself guided by w once it is trained, which is why the factor is
    1 - 1/w where guiding a conditional velocity has w - 1.
    """
    return target + (1 - 1 / per_sample(w, like=target)) * (with_condition - without)


def check_guidance(guidance: Sequence[float]) -> None:
    """Raise ValueError unless a guidance is a scale of 1 or more, and a first and a last t."""
    w, first, last = guidance
    if not (1 <= w < math.inf and 0 <= first < last <= 1):
        raise ValueError(f"guidance is {w} for t from {first} to {last}: 1 or more, within 0 to 1")


def led(network: Network, null: Condition, guidance: tuple[float, float, float]) -> Network:
    """Return a flow that is guided to its condition by a second call of the network: the velocity
    v_0 + w (v - v_0), where v_0 is that without conditions (arXiv 2207.12598). It is meant for
    networks that know r = t alone and were not trained with guidance. The guidance acts from the
    first t to the last.
    """
    w, first, last = guidance

    def velocity(z: Tensor, t: Tensor, r: Tensor, /, *condition: Condition) -> Tensor:
        given = predict_main(network, z, t, r, *condition)
        if not first <= float(t[0]) <= last:  # a sampler has one time for all
            return given
        nothing = {name: values.expand(len(z)) for name, values in null.items()}
        without = predict_main(network, z, t, r, nothing)
        return without + w * (given - without)

    return velocity


@torch.no_grad()
def guided_target(
    objective: MeanFlow,
    net: Network,
    x: Tensor,
    noise: Tensor,
    t: Tensor,
    r: Tensor,
    condition: Condition,
    null: Condition,
) -> tuple[Tensor, Tensor]:
    """Return the target and the tangent of `objective.terms` for data x and noise
    (B, C, *spatial) at times t, r (B,), both of the shape of x.

    `condition` holds the guidance, `null` the same names with nothing known. The tangent is the
    network's velocity with the condition, by the v head where the objective's tangent is that;
    where w = 1 nothing is changed. Raises ValueError without guidance.
    """
    t, r = t.to(x), r.to(x)
    z, target = point_on_path(x, noise, t), path_velocity(x, noise)
    w = scale_at(guidance_of(condition), t, r)
    given = _own_velocity(objective, net, z, t, at_every_time(condition, w))

    moved = torch.nonzero(w != 1).flatten()
    if len(moved):
        z_own, t_own, target_own, given_own, w_own = select(moved, z, t, target, given, w)
        nothing = at_every_time(select_condition(moved, null) or {}, torch.ones_like(w_own))
        without = _own_velocity(objective, net, z_own, t_own, nothing)
        target = scatter(moved, guided(target_own, given_own, without, w_own), target)

    return target, target if objective.tangent == "conditional" else given


def _own_velocity(
    objective: MeanFlow, net: Network, z: Tensor, t: Tensor, condition: Condition
) -> Tensor:
    """Return what the network holds for the velocity at z, t."""
    if objective.tangent == "head":
        head = predict_head(net, z, t, t, condition)
        return to_velocity(head.to(z.dtype), z, t, objective.predict)
    return objective.velocity(net, z, t, t, condition)
