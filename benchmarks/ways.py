"""The ways to write a training step that are compared: what each computes, on which network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from machine import CPU
from neuromf.flow import MeanFlow
from neuromf.nets import BRAIN, SMALL, DualTimeUNet, UNetConfig
from neuromf.runtime.device import Precision, autocast


@dataclass(frozen=True)
class Way:
    """One way to write a step."""

    objective: MeanFlow | None  # None is the usual step: one jvp with gradient over all rows
    equal: float  # share of rows with r = t
    checkpointing: bool = False
    compiled: bool = False  # the prediction by torch.compile, the derivative without


@dataclass(frozen=True)
class Size:
    """A network and the latents of a step."""

    config: UNetConfig
    batch: int
    side: int  # voxels


FLOW_MATCHING = "flow matching"
WAYS = {
    FLOW_MATCHING: Way(MeanFlow(jvp="none"), 1.0),
    "flow matching, checkpointing": Way(MeanFlow(jvp="none"), 1.0, True),
    "two-stream, boundary, share 0.5": Way(MeanFlow(jvp="two-stream"), 0.5),
    "two-stream, v_c, share 0.5": Way(MeanFlow(jvp="two-stream", tangent="conditional"), 0.5),
    "two-stream, boundary, share 0.75": Way(MeanFlow(jvp="two-stream"), 0.75),
    "two-stream, boundary, share 0.5, checkpointing": Way(MeanFlow(jvp="two-stream"), 0.5, True),
    "two-stream, boundary, share 0.75, checkpointing": Way(MeanFlow(jvp="two-stream"), 0.75, True),
    "split, boundary, share 0.5": Way(MeanFlow(), 0.5),
    "split, v_c, share 0.5": Way(MeanFlow(tangent="conditional"), 0.5),
    "split, boundary, share 0.75": Way(MeanFlow(), 0.75),
    "split, boundary, share 0.5, checkpointing": Way(MeanFlow(), 0.5, True),
    "finite difference, boundary, share 0.5": Way(MeanFlow(jvp="finite"), 0.5),
    "usual: joint jvp, boundary, all rows": Way(None, 0.5),
}
# two-stream does not go with torch.compile, which does not follow its tangents
COMPILED = {
    "flow matching, compiled": Way(MeanFlow(jvp="none"), 1.0, compiled=True),
    "split, boundary, share 0.5, compiled": Way(MeanFlow(), 0.5, compiled=True),
    "split, v_c, share 0.5, compiled": Way(MeanFlow(tangent="conditional"), 0.5, compiled=True),
    "finite difference, boundary, share 0.5, compiled": Way(
        MeanFlow(jvp="finite"), 0.5, compiled=True
    ),
}
TINY = UNetConfig(
    channels=(8, 16), attention=(False, True), attention_head_channels=(0, 8), res_blocks=1,
    norm_groups=4,
)  # fmt: skip
SIZES = {
    "tiny": Size(TINY, 2, 8),  # to try a benchmark with
    "small": Size(SMALL, 8, 24),
    "brain": Size(BRAIN, 8, 24),
    "brain192": Size(BRAIN, 4, 48),  # the usual step needs five times the memory of the others
}


def describe(size: str) -> str:
    """Return a size for the head of a table."""
    channels, batch, side = SIZES[size].config.channels, SIZES[size].batch, SIZES[size].side
    return f"{size} UNet, channels {list(channels)}, batch {batch}, latents 4 x {side}³"


def network_with_weights(config: UNetConfig, device: torch.device = CPU) -> DualTimeUNet:
    """Return a network without zero layers, which would make part of the work
    trivial; gradients are allocated.
    """
    torch.manual_seed(0)
    network = DualTimeUNet(config)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    network.to(device)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return network


def step_of(
    network: DualTimeUNet,
    way: Way,
    batch: int,
    side: int,
    device: torch.device = CPU,
    precision: Precision = "float32",
) -> Callable[[], None]:
    """Return a step of `batch` latents, forward and backward without the optimiser."""
    x, noise = torch.randn(2, batch, network.config.latent_channels, side, side, side).to(device)
    t = torch.linspace(0.5, 0.9, batch).to(device)
    equal = round(way.equal * batch)
    r = torch.where(torch.arange(batch, device=device) < equal, t, 0.3 * t)
    called: Any = torch.compile(network) if way.compiled else network

    def loss() -> Tensor:
        if way.objective is None:
            return usual_loss(called, x, noise, t, r)
        return way.objective.loss(way.objective.terms(called, x, noise, t, r)).total

    def step() -> None:
        network.zero_grad(set_to_none=False)
        with autocast(device, precision):
            value = loss()
        value.backward()

    return step


def usual_loss(network: DualTimeUNet, x: Tensor, noise: Tensor, t: Tensor, r: Tensor) -> Tensor:
    """The step as it is usually written: du/dt of u = (z - x̂) / t by a jvp
    with gradient over all rows.
    """

    def u(z: Tensor, t: Tensor) -> Tensor:
        return (z - network(z, t, r)) / t.view(-1, 1, 1, 1, 1)

    z = (1 - t.view(-1, 1, 1, 1, 1)) * x + t.view(-1, 1, 1, 1, 1) * noise
    with torch.no_grad():
        tangent = (z - network(z, t, t)) / t.view(-1, 1, 1, 1, 1)
    with sdpa_kernel(SDPBackend.MATH):
        value, slope, *_ = torch.func.jvp(u, (z, t), (tangent, torch.ones_like(t)))
    error = value + (t - r).view(-1, 1, 1, 1, 1) * slope.detach() - (noise - x)
    raw = error.square().flatten(2).mean(2).sum(1)
    return (raw / (raw.detach() + 0.01)).mean()
