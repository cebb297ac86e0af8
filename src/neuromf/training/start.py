"""The network that a training begins with: a new one, or another model's weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from neuromf.autoencoder.components import Component
from neuromf.generation.model import Model, load_model
from neuromf.nets.precondition import build, fit_base
from neuromf.pretrained.statedict import load_strict
from neuromf.training.checkpoint import told
from neuromf.training.config import TrainConfig
from neuromf.training.data import Data


def new_network(config: TrainConfig, data: Data) -> nn.Module:
    """Return a network with random weights."""
    return build(config.network, config.precondition, config.latent_scale, data.store.shape)


def first_network(config: TrainConfig, data: Data) -> nn.Module:
    """Return a new network, or one with the weights of `start`. Raises WeightsError where
    they do not fit.
    """
    network = new_network(config, data)
    model = start_model(config, data.store.components)
    if model is None:
        fit_base(network, data.plain(), config.latent_scale)
    else:
        load_strict(network, model.network.state_dict(), f"start={config.start}")
    return network


def start_model(config: TrainConfig, components: Sequence[Component]) -> Model | None:
    """Return the model that a training begins with, if any. Raises ValueError
    where it is of other latents.
    """
    if not config.start:
        return None
    model = load_model(config.start)
    if model.config.components != tuple(components):
        raise ValueError(
            f"start={config.start} was trained on latents of {told(model.config.components)}, "
            f"{config.latents} holds latents of {told(components)}: encode with the same VAE "
            "(and version: up to 0.1 the fingerprint covered the decoder too)"
        )
    if model.config.latent_scale != config.latent_scale:
        raise ValueError(
            f"start={config.start} was trained with latent_scale={model.config.latent_scale}, this "
            f"run has {config.latent_scale}: set latent_scale={model.config.latent_scale}"
        )
    if model.config.precondition != config.precondition:
        raise ValueError(
            f"start={config.start} has {model.config.precondition}, this run "
            f"{config.precondition}: set precondition.kind={model.config.precondition.kind} "
            f"precondition.width={model.config.precondition.width}"
        )
    if model.config.predict != config.objective.predict:
        raise ValueError(
            f"start={config.start} predicts {model.config.predict}, this run "
            f"{config.objective.predict}: set objective.predict={model.config.predict}"
        )

    return model
