"""`train adapt=MODEL`: a trained model learns further channels, such as a lesion mask, or a small
cohort.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from torch import Tensor, nn

from neuromf.autoencoder.components import Component
from neuromf.flow.gaussian import GaussianFlow
from neuromf.generation.model import Model, load_model
from neuromf.latents.statistics import LatentStats
from neuromf.nets.adapt import adapt, closed_form
from neuromf.nets.conditioning import with_conditions
from neuromf.nets.precondition import build
from neuromf.nets.variables import Conditions
from neuromf.pretrained.statedict import load_strict
from neuromf.training.checkpoint import told
from neuromf.training.config import TrainConfig


def base_model(config: TrainConfig, components: Sequence[Component]) -> Model | None:
    """Return the model that is adapted, if any. Raises ValueError where the first components of
    the latents are not its own.
    """
    if not config.adapt:
        return None
    model = load_model(config.adapt)
    own = model.config.components
    if own != tuple(components)[: len(own)]:
        raise ValueError(
            f"adapt={config.adapt} was trained on latents of {told(own)}, {config.latents} holds "
            f"latents of {told(components)}: encode with the same VAE"
        )
    return model


def joined_statistics(own: LatentStats, base: LatentStats) -> LatentStats:
    """Return the statistics of latents whose first channels a model knows already: for these its
    own mean and deviation, so that the same image is the same input to its network.

    Raises ValueError where the latents have another size, or fewer channels.
    """
    c = len(base.mean)
    if len(own.mean) < c:
        raise ValueError(
            f"latents of {len(own.mean)} channels, the model to learn from takes {c}: encode with "
            "the same VAE and lesions="
        )
    if own.shape[1:] != base.shape[1:]:
        raise ValueError(
            f"latents of size {own.shape[1:]}, the model to learn from takes {base.shape[1:]}: "
            "prepare with the same preset"
        )
    return replace(own, mean=base.mean + own.mean[c:], std=base.std + own.std[c:])


def structure(
    config: TrainConfig,
    old: int,
    shape: tuple[int, ...],
    conditions: Conditions,
    base: GaussianFlow | None = None,
    state: dict[str, Tensor] | None = None,
) -> nn.Module:
    """Return an adapted network for latents `shape`, whose first `old` channels the base has: with
    the base's `state`, or random weights.
    """
    network = build(
        replace(config.network, latent_channels=old),
        config.precondition,
        config.latent_scale,
        (old, *shape[1:]),
        conditions,
    )
    if state is not None:
        load_strict(network, with_conditions(state, network), f"adapt={config.adapt}")
    adapt(network, config.lora, shape[0] - old, base, bool(config.conditions))
    return network


class NewChannels:
    """The channels of latents after the first `old`; they can be gone through several times."""

    def __init__(self, latents: Iterable[Tensor], old: int) -> None:
        self.latents, self.old = latents, old

    def __iter__(self) -> Iterator[Tensor]:
        return (latent[self.old :] for latent in self.latents)


def adapted_network(
    config: TrainConfig,
    model: Model,
    latents: Iterable[Tensor],
    shape: tuple[int, ...],
    conditions: Conditions,
) -> nn.Module:
    """Return the network of a model, ready to be adapted to normalised latents (C, D, H, W), of
    whose new channels a flow in closed form is fitted where the network has one.
    """
    old, base = model.config.shape[0], None
    if shape[0] > old and closed_form(model.network):
        base = GaussianFlow.fit(NewChannels(latents, old)).scaled(config.latent_scale)
    return structure(config, old, shape, conditions, base, model.network.state_dict())
