"""The velocity of a network in training on held-out latents, beside that of a linear filter."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor, nn

from neuromf.flow.gaussian import GaussianFlow
from neuromf.metrics.velocity import mean_ratio, velocity_loss
from neuromf.runtime.device import autocast
from neuromf.runtime.randomness import Purpose, generator
from neuromf.training.config import TrainConfig
from neuromf.training.state import Row

MOST = 64  # held-out latents: each is passed through the network once for every time


class HeldOutVelocity:
    """The v-loss at r = t of normalised held-out latents (N, C, D, H, W), the first 64 of them, at
    times and with noise that never change.

    It is divided by that of the linear filter which the training latents' Gaussian is at r = t: a
    network above 1 knows less of the anatomy than their mean image and power spectrum tell.
    """

    def __init__(self, config: TrainConfig, real: Tensor, gaussian: GaussianFlow) -> None:
        self.config, self.gaussian = config, gaussian.scaled(config.latent_scale)
        self.x = config.latent_scale * real[:MOST]
        drawn = [generator(Purpose.VELOCITY, config.seed, i) for i in range(len(self.x))]
        self.noise = torch.stack([torch.randn(self.x.shape[1:], generator=g) for g in drawn])

    @cached_property
    def linear(self) -> dict[float, float]:
        """The v-loss of the linear filter by t."""
        flow = self.gaussian
        return velocity_loss(lambda z, t: flow(z, t, t), self.x, self.noise)

    def row(self, network: nn.Module, device: torch.device) -> Row:
        """Return v_0.02 to v_0.98, the v-loss of a network by t, and v_linear, the geometric mean
        of its ratios to the linear filter's.
        """
        objective, config = self.config.objective, self.config
        with autocast(device, config.precision):
            losses = velocity_loss(
                lambda z, t: objective.velocity(network, z, t, t),
                *(self.x, self.noise),
                batch=config.batch,
                device=device,
            )
        row: Row = {f"v_{t:g}": loss for t, loss in losses.items()}
        return row | {"v_linear": mean_ratio(losses, self.linear)}
