"""What a network's output means: a velocity made of a part in closed form and the network's."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from neuromf.flow.gaussian import GaussianFlow
from neuromf.flow.network import Condition, Output, call, predict_main, split_output
from neuromf.flow.path import per_sample
from neuromf.nets.config import Precondition, UNetConfig
from neuromf.nets.unet import DualTimeUNet
from neuromf.nets.variables import UNCONDITIONAL, Conditions


class Skip(nn.Module):
    """The velocity at z if x were N(0, σ²), of a posterior mean that does not know r:
    x̂ = k z with k = (1 - t) σ² / ((1 - t)² σ² + t²), u = (z - x̂) / t multiplied out.
    """

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Return u (B, C, *spatial); r plays no part."""
        t = per_sample(t, like=z)
        a, variance = 1 - t, self.sigma**2
        return z * ((t - a * variance) / (a * a * variance + t * t))


class Preconditioned(nn.Module):
    """`net(z, t, r)`: the velocity u = u₀(z, t, r) - c_out N(c_in z, t, r) of a network N.

    c_in = 1 / √((1 - t)² s² + t²) gives the network inputs of unit variance, s the standard
    deviation of the data; c_out is the deviation that u₀ leaves, over t (EDM, arXiv 2206.00364,
    table 1, on the straight path). With the skip a clean latent is copied, and one call remains
    x̂ = s N(noise, 1, 0). With the flow of a Gaussian one call begins with the mean image and the
    power spectrum of the data.
    """

    def __init__(self, network: nn.Module, base: Skip | GaussianFlow, data_std: float) -> None:
        super().__init__()
        self.network, self.base, self.data_std = network, base, data_std

    @property
    def sigma(self) -> float:
        """The width of the skip; of the Gaussian's the data's own standard deviation."""
        return self.base.sigma if isinstance(self.base, Skip) else self.data_std

    def forward(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Output:
        """Return u, or (u, velocity of the v head), shape of z."""
        inner, c_out = self._scales(z, t)
        prediction, head = split_output(call(self.network, inner, t, r, condition))
        u = self.base(z, t, r) - c_out * prediction.to(z.dtype)
        return u if head is None else (u, self.base(z, t, t) - c_out * head.to(z.dtype))

    def without_head(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """Return u without computing the v head."""
        inner, c_out = self._scales(z, t)
        prediction = predict_main(self.network, inner, t, r, condition)
        u: Tensor = self.base(z, t, r) - c_out * prediction.to(z.dtype)
        return u

    def exponential(
        self, z: Tensor, t: Tensor, r: Tensor, condition: Condition | None = None
    ) -> Tensor:
        """Return the average velocity from t to r if the network's output, at r = t, stayed what it
        is: u₀ is exact, so of a rectified flow the steps may be longer than Euler's.
        """
        inner, c_out = self._scales(z, t)
        prediction = predict_main(self.network, inner, t, t, condition)
        u: Tensor = self.base(z, t, r) - c_out * prediction.to(z.dtype)
        return u

    def _scales(self, z: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's input and c_out = √(s² t² + (1 - t)² σ⁴) / ((1 - t)² σ² + t²)."""
        time = per_sample(t, like=z)
        a, s, sigma = 1 - time, self.data_std**2, self.sigma**2
        left = (s * time * time + sigma * sigma * a * a).sqrt()
        return z / (a * a * s + time * time).sqrt(), left / (a * a * sigma + time * time)


def build(
    config: UNetConfig,
    settings: Precondition,
    scale: float,
    shape: tuple[int, ...],
    conditions: Conditions = UNCONDITIONAL,
) -> nn.Module:
    """Return a new network for normalised latents (C, D, H, W) times `scale`."""
    return preconditioned(DualTimeUNet(config, conditions), settings, scale, shape)


def preconditioned(
    network: nn.Module, settings: Precondition, scale: float, shape: tuple[int, ...]
) -> nn.Module:
    """Return a network as it is trained on normalised latents (C, D, H, W) times `scale`.

    The Gaussian's statistics are those of N(0, 1) until `fit_base` or a state dict gives it
    others.
    """
    if settings.kind == "none":
        return network
    if settings.kind == "skip":
        return Preconditioned(network, Skip(settings.width * scale), scale)
    return Preconditioned(network, GaussianFlow.empty(shape), scale)


def fit_base(network: nn.Module, latents: Iterable[Tensor], scale: float) -> None:
    """Give the Gaussian of a network, if it has one, the statistics of normalised latents
    (C, D, H, W) times `scale`.
    """
    if isinstance(network, Preconditioned) and isinstance(network.base, GaussianFlow):
        network.base = GaussianFlow.fit(latents).scaled(scale)


def backbone(network: nn.Module) -> nn.Module:
    """Return the network inside a preconditioned one."""
    return network.network if isinstance(network, Preconditioned) else network
