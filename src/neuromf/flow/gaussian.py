"""The flow of a Gaussian, in closed form: what is known of a distribution's velocity from its
mean image and its power spectrum alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from neuromf.flow.path import per_sample

FLOOR = 1e-2  # of a wave's standard deviation, over that of all: nothing is divided by zero
AXES = (-3, -2, -1)


class GaussianFlow(nn.Module):
    """The average velocity u(z, t, r) of data x ~ N(mean, Σ), exact for all r <= t.

    Σ is stationary: channels turned by `rotation` (C, C) are uncorrelated, and so are their waves,
    whose standard deviations are `amplitude` (C, D, H, W // 2 + 1), as torch.fft.rfftn orders them
    (norm "ortho"). On z_t = (1 - t) x + t noise a wave of variance P at time t has the variance
    B_t = (1 - t)² P + t², and the flow carries its deviation from the mean by √(B_r / B_t). At
    r = t that is the Wiener filter.
    """

    mean: Tensor
    rotation: Tensor
    amplitude: Tensor

    def __init__(self, mean: Tensor, rotation: Tensor, amplitude: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("rotation", rotation)
        self.register_buffer("amplitude", amplitude)

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> GaussianFlow:
        """Return N(0, 1) for latents (C, D, H, W), to load statistics into."""
        c, d, h, w = shape
        return cls(torch.zeros(shape), torch.eye(c), torch.ones(c, d, h, w // 2 + 1))

    @classmethod
    def fit(cls, latents: Iterable[Tensor]) -> GaussianFlow:
        """Return the Gaussian of latents (C, D, H, W), which are gone through three times, one at
        a time. Raises ValueError where there are fewer than two.
        """
        count, total = 0, torch.zeros((), dtype=torch.float64)
        for x in latents:
            count, total = count + 1, total + x.double()
        if count < 2:
            raise ValueError(f"{count} latents: a spectrum needs two or more")

        mean = total / count
        covariance = sum(torch.einsum("idhw,jdhw->ij", y, y) for y in _centred(latents, mean))
        rotation = torch.linalg.eigh(covariance)[1].mT.flip(0)
        power = sum(
            _waves(torch.einsum("ij,jdhw->idhw", rotation, y)).abs().square()
            for y in _centred(latents, mean)
        )
        amplitude = (torch.as_tensor(power) / (count - 1)).sqrt()
        amplitude = amplitude.clamp(min=FLOOR * float(amplitude.square().mean().sqrt()))
        return cls(mean.float(), rotation.float().contiguous(), amplitude.float())

    def scaled(self, factor: float) -> GaussianFlow:
        """Return the Gaussian of the data times a factor."""
        return GaussianFlow(factor * self.mean, self.rotation, factor * self.amplitude)

    def forward(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """Return u (B, C, D, H, W) for z of that shape and times t, r (B,), r <= t.

        u = (z - z_r) / (t - r), multiplied out so that r = t is no special case. Float32 or wider,
        whatever autocast says.
        """
        with torch.autocast(z.device.type, enabled=False):
            t, r = per_sample(t, like=z), per_sample(r, like=z)
            a, b = 1 - t, 1 - r
            mean, power = self.mean.to(z.dtype), self.amplitude.to(z.dtype).square()

            now, then = a * a * power + t * t, b * b * power + r * r
            gain = ((t + r) - (a + b) * power) / (now + (now * then).sqrt())
            return self._filtered(z - a * mean, gain) - mean

    def sample(self, noise: Tensor) -> Tensor:
        """Return data (B, C, D, H, W) for standard normal noise of that shape: the flow from
        t = 1 to r = 0.
        """
        return self._filtered(noise, self.amplitude.to(noise.dtype)) + self.mean.to(noise.dtype)

    def _filtered(self, z: Tensor, gain: Tensor) -> Tensor:
        """Return z with each wave of each turned channel multiplied by its gain."""
        rotation = self.rotation.to(z.dtype)
        turned = torch.einsum("ij,bjdhw->bidhw", rotation, z)
        filtered = torch.fft.irfftn(_waves(turned) * gain, s=self.mean.shape[1:], dim=AXES,
                                    norm="ortho")  # fmt: skip
        return torch.einsum("ij,bjdhw->bidhw", rotation.mT, filtered)


def _waves(x: Any) -> Any:
    return torch.fft.rfftn(x, dim=AXES, norm="ortho")


def _centred(latents: Iterable[Tensor], mean: Tensor) -> Iterator[Tensor]:
    return (x.double() - mean for x in latents)
