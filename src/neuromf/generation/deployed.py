"""A model as two functions of tensors, which other programs run without this package."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from neuromf.autoencoder.components import split
from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.flow.sampler import advance
from neuromf.generation.decoding import bounded
from neuromf.generation.model import ModelConfig


class Step(nn.Module):
    """One network call: the state at time r of a state z (1, C, D, H, W) at time t, times (1,).

    Noise is the state at t = 1, a sample the state at r = 0. Conditions follow in the order of
    `names`, tensors (1,) each: a number or the place of a category, NaN where it is not known.
    """

    def __init__(self, network: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.network, self.config = network, config

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the conditions."""
        return tuple(self.config.conditions.null(1) or {})

    def example(self) -> tuple[Tensor, ...]:
        """Return arguments for a sample in one call, of which nothing is asked."""
        noise = torch.randn(1, *self.config.shape, generator=torch.Generator().manual_seed(0))
        null = self.config.conditions.null(1) or {}
        return noise, torch.ones(1), torch.zeros(1), *null.values()

    def forward(self, z: Tensor, t: Tensor, r: Tensor, *conditions: Tensor) -> Tensor:
        """Return the state at r."""
        condition = dict(zip(self.names, conditions, strict=True)) or None
        predict, solver = self.config.predict, self.config.solver
        return advance(self.network, z, t, r, predict, solver, condition)


class Decoder(nn.Module):
    """The volume (1, 1, D, H, W) of a sample (1, C, d, h, w): voxels in [0, 1], 0 outside the
    brain. The normalisation of the latents is undone in it.
    """

    def __init__(self, vae: FrozenVAE, config: ModelConfig) -> None:
        super().__init__()
        self.network, self.config = without_encoder(vae), config

    def example(self) -> tuple[Tensor, ...]:
        """Return a sample of noise."""
        return (torch.randn(1, *self.config.shape, generator=torch.Generator().manual_seed(0)),)

    def forward(self, z: Tensor) -> Tensor:
        """Return the volume."""
        latent = self.config.stats.denormalise(z / self.config.latent_scale)
        components = self.config.components
        image = split(latent, components)[components[0].name]
        return bounded(self.network.decode(image))


def without_encoder(vae: FrozenVAE) -> Any:
    """Return a copy of a VAE's network, on the CPU, in which only what decodes has weights."""
    network = copy.deepcopy(vae.network).cpu()
    _strip(network, "", vae.decoder)
    return network


def _strip(module: nn.Module, path: str, kept: tuple[str, ...]) -> None:
    """Take away the parts of a module, which stands at `path`, whose names begin with none of
    `kept`.
    """
    for name, child in list(module.named_children()):
        own = f"{path}{name}."
        if own.startswith(kept):
            continue
        if any(prefix.startswith(own) for prefix in kept):
            _strip(child, own, kept)
        else:
            setattr(module, name, nn.Identity())
