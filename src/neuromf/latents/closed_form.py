"""Models of latents in closed form, which need no training: baselines that every trained model has
to surpass.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from neuromf.latents.dataset import LatentDataset
from neuromf.latents.gaussian import Latents, latent_gaussian

ClosedForm = Callable[[torch.Generator], Tensor]  # to a normalised latent (C, D, H, W)


def principal(latents: Latents) -> ClosedForm:
    """Return the Gaussian on all principal components of latents: their mean image and their
    covariance, whole.

    A sample is the mean plus the sum of the centred latents times independent N(0, 1) / √(n - 1),
    which has that covariance without its being formed.
    """
    mean, _ = moments(latents)
    n = len(latents)

    def draw(chance: torch.Generator) -> Tensor:
        weights = torch.randn(n, generator=chance) / math.sqrt(n - 1)
        found = mean * (1 - weights.sum())
        for weight, latent in zip(weights, latents, strict=True):
            found = found + weight * latent
        return found

    return draw


def stationary(latents: Latents) -> ClosedForm:
    """Return the Gaussian with the mean image and the power spectrum of latents."""
    flow = latent_gaussian(latents.dataset, len(latents))
    return lambda chance: flow.sample(torch.randn(flow.mean.shape, generator=chance)[None])[0]


def white(latents: Latents) -> ClosedForm:
    """Return the mean image of latents plus white noise with the standard deviation that each
    channel has about it.
    """
    mean, std = moments(latents)
    return lambda chance: mean + std * torch.randn(mean.shape, generator=chance)


KINDS: dict[str, Callable[[Latents], ClosedForm]] = {
    "principal": principal,
    "gaussian": stationary,
    "noise": white,
}


def closed_form(kind: str, training: LatentDataset) -> ClosedForm:
    """Return the model `kind` of normalised training latents, of at most 1000 of them, evenly
    spaced. Raises ValueError where there are fewer than two, KeyError for another kind.
    """
    if len(training) < 2:
        raise ValueError(f"{len(training)} training latents: a closed-form model needs two or more")
    return KINDS[kind](Latents(training))


def moments(latents: Latents) -> tuple[Tensor, Tensor]:
    """Return the mean (C, D, H, W) of two latents or more, and the standard deviation of each
    channel (C, 1, 1, 1) about it.
    """
    n = len(latents)
    mean = sum((z.double() for z in latents), torch.zeros((), dtype=torch.float64)) / n
    squares = sum(
        ((z.double() - mean).square().mean((1, 2, 3), keepdim=True) for z in latents),
        torch.zeros((), dtype=torch.float64),
    )
    return mean.float(), (squares / (n - 1)).sqrt().float()
