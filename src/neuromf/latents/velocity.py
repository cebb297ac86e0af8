"""The velocity of a network on held-out latents, beside that of a linear filter."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from neuromf.flow.gaussian import GaussianFlow
from neuromf.metrics.velocity import Velocity, velocity_loss
from neuromf.runtime.randomness import Purpose, generator

MOST = 64  # held-out latents: each is passed through the network once for every time


class HeldOutVelocity:
    """The v-loss at r = t of normalised held-out latents (N, C, D, H, W), the first 64 of them,
    times `latent_scale`, at times and with noise that never change.

    It is compared with that of the linear filter that follows from the training latents' Gaussian
    at r = t: a network with a ratio above 1 has learned less than their mean image and power
    spectrum contain.
    """

    def __init__(
        self, real: Tensor, gaussian: GaussianFlow, latent_scale: float, seed: int
    ) -> None:
        self.gaussian, self.x = gaussian.scaled(latent_scale), latent_scale * real[:MOST]
        drawn = [generator(Purpose.VELOCITY, seed, i) for i in range(len(self.x))]
        self.noise = torch.stack([torch.randn(self.x.shape[1:], generator=g) for g in drawn])

    @cached_property
    def linear(self) -> dict[float, float]:
        """The v-loss of the linear filter by t."""
        flow = self.gaussian
        return velocity_loss(lambda z, t: flow(z, t, t), self.x, self.noise)

    def losses(
        self, velocity: Velocity, batch: int, device: torch.device | str
    ) -> dict[float, float]:
        """Return the v-loss of a velocity v(z, t) by t; it gets `batch` latents at once, on a
        device.
        """
        return velocity_loss(velocity, self.x, self.noise, batch=batch, device=device)
