"""What several test files share: small networks that do not return zeros, and fields whose mathematics is known."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from neuromf.flow.path import per_sample
from neuromf.nets import DualTimeUNet, UNetConfig

torch.set_num_threads(1)  # tests run side by side

TINY = UNetConfig(
    channels=(16, 32), attention=(False, True), head_channels=(0, 16), res_blocks=1, norm_groups=4
)  # every kind of layer, 0.2 M parameters


def randomised(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give weights that are zero at initialisation the usual spread: a derivative of 0 proves nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype) / fan_in**0.5)
            else:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype))
    return network


def tiny_unet(dtype: torch.dtype = torch.float64, **changes) -> DualTimeUNet:
    torch.manual_seed(0)
    return randomised(DualTimeUNet(replace(TINY, **changes))).to(dtype)


class Mlp(nn.Module):
    """A small network on vectors (B, C), optionally with a second output."""

    def __init__(self, channels: int = 3, width: int = 16, head: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(channels + 2, width), nn.SiLU(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, channels)
        )
        self.head = nn.Linear(channels + 2, channels) if head else None

    def forward(self, z, t, r):
        features = torch.cat([z, t.unsqueeze(1), (t - r).unsqueeze(1)], 1)
        return self.body(features) if self.head is None else (self.body(features), self.head(features))


def mlp(**options) -> Mlp:
    torch.manual_seed(1)
    return Mlp(**options).double()


class Gaussian:
    """Data N(mu, s²) per coordinate, noise N(0, 1): marginal and average velocity in closed form."""

    def __init__(self, mu: Tensor, s: Tensor) -> None:
        self.mu, self.s = mu, s

    def spread(self, t: Tensor) -> Tensor:
        return ((1 - t) ** 2 * self.s**2 + t**2).sqrt()

    def velocity(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        """u = v at r = t, else the straight average over [r, t]."""
        t, r = per_sample(t, z), per_sample(r, z)
        centred = z - (1 - t) * self.mu
        instant = (t - (1 - t) * self.s**2) / self.spread(t) ** 2 * centred
        h = torch.where(t > r, t - r, 1.0)
        average = (1 - self.spread(r) / self.spread(t)) * centred / h
        return -self.mu + torch.where(t > r, average, instant)

    def data(self, z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        return z - per_sample(t, z) * self.velocity(z, t, r)


@pytest.fixture
def gaussian() -> Gaussian:
    return Gaussian(
        torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), torch.tensor([0.3, 1.5, 0.8], dtype=torch.float64)
    )


def batch(*shape: int, seed: int = 3, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return x, noise of the given shape and t, r with every kind of row in turn: r < t, r = t, r = 0, the endpoint."""
    generator = torch.Generator().manual_seed(seed)
    x, noise = torch.randn(2, *shape, generator=generator, dtype=torch.float64).to(dtype)
    kinds = itertools.cycle([(0.7, 0.2), (0.4, 0.4), (0.6, 0.0), (1.0, 0.0)])
    t, r = torch.tensor([next(kinds) for _ in range(shape[0])], dtype=dtype).T
    return x, noise, t.contiguous(), r.contiguous()


def gradients(network: nn.Module) -> Tensor:
    """Return all gradients of a network in one vector."""
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


def relative(a: Tensor, b: Tensor) -> float:
    """Return |a - b| / |b|."""
    return ((a - b).norm() / b.norm()).item()
