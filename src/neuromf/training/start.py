"""The network that a training begins with: a new one, or another model's weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from torch import nn

from neuromf.autoencoder.components import Component, same_components
from neuromf.generation.model import Model, load_model
from neuromf.nets.conditioning import with_conditions
from neuromf.nets.config import LoRA, UNetConfig
from neuromf.nets.precondition import build, fit_base
from neuromf.nets.variables import UNCONDITIONAL, Conditions
from neuromf.pretrained.statedict import load_strict
from neuromf.training.adapt import adapted_network, structure
from neuromf.training.checkpoint import told, told_conditions
from neuromf.training.config import TrainConfig
from neuromf.training.data import Data
from neuromf.training.distillation import Distillation
from neuromf.training.teacher import Teacher, hold_interval


def new_network(config: TrainConfig, data: Data) -> nn.Module:
    """Return a network with random weights."""
    if data.base is not None:
        old = data.base.config.shape[0]
        return structure(config, old, data.store.shape, data.known.conditions)
    scale, conditions = config.latent_scale, data.known.conditions
    return build(config.network, config.precondition, scale, data.store.shape, conditions)


def first_network(config: TrainConfig, data: Data, teacher: Teacher | None = None) -> nn.Module:
    """Return a new network, or one with the weights of `start`, or those of the teacher. Raises
    WeightsError where they do not fit.
    """
    if data.base is not None:
        conditions = data.known.conditions
        return adapted_network(config, data.base, data.plain(), data.store.shape, conditions)
    network = new_network(config, data)
    model = start_model(config, data.store.components, data.known.conditions)
    if model is not None:
        state = model.network.state_dict()
        if model.config.conditions != data.known.conditions:  # what is new begins at zero
            state = with_conditions(state, network)
        load_strict(network, state, f"start={config.start}")
    elif teacher is not None:
        load_strict(network, teacher.model.network.state_dict(), f"teacher={config.teacher}")
        hold_interval(network)
    else:
        fit_base(network, data.plain(), config.latent_scale)
    return network


def check_student(config: TrainConfig, teacher: Teacher | None) -> None:
    """Raise ValueError where a student has no teacher, or cannot begin with its weights."""
    if teacher is None and config.distillation != Distillation():
        raise ValueError(
            "distillation is set and there is no teacher: teacher=MODEL, a rectified flow that "
            "`neuromf train preset=flow2mm` trained"
        )
    if teacher is not None and not config.start and not config.adapt:
        check_alike(teacher.model, config, f"teacher={config.teacher}")


def start_model(
    config: TrainConfig,
    components: Sequence[Component],
    conditions: Conditions = UNCONDITIONAL,
) -> Model | None:
    """Return the model that a training begins with, if any. Raises ValueError
    where it is of other latents.
    """
    if not config.start:
        return None
    model = load_model(config.start)
    if not same_components(model.config.components, components):
        raise ValueError(
            f"start={config.start} was trained on latents of {told(model.config.components)}, "
            f"{config.latents} holds latents of {told(components)}: encode with the same VAE "
            "(and version: up to 0.1 the fingerprint covered the decoder too)"
        )
    check_alike(model, config, f"start={config.start}")
    own = model.config.conditions
    if not conditions.extends(own):
        raise ValueError(
            f"start={config.start} was trained with conditions {told_conditions(own)}, this run "
            f"has {told_conditions(conditions)}: give it all of these, with the same values and "
            "ranges, or another start"
        )
    return model


def check_base(config: TrainConfig, data: Data) -> None:
    """Raise ValueError where a run cannot adapt its model, or has none to adapt."""
    if data.base is None:
        if config.lora != LoRA():
            raise ValueError(
                "lora is set and there is no model to adapt: adapt=MODEL, a model folder whose "
                "latents are the first component of these"
            )
        return
    own = data.base.config.network.latent_channels
    narrow = replace(config, network=replace(config.network, latent_channels=own))
    check_alike(data.base, narrow, f"adapt={config.adapt}")
    new_network(config, data)  # an adapter that does not fit is refused


def check_alike(model: Model, config: TrainConfig, name: str) -> None:
    """Raise ValueError, which names the keys to set, if a model was built or trained in another way
    than this run, so that its weights would have another meaning.
    """
    own = model.config
    pairs: dict[str, tuple[Any, Any]] = {
        "latent_scale": (own.latent_scale, config.latent_scale),
        "objective.predict": (own.predict, config.objective.predict),
        "precondition.kind": (own.precondition.kind, config.precondition.kind),
        "precondition.width": (own.precondition.width, config.precondition.width),
    }
    for field in fields(UNetConfig):
        if field.name not in ("checkpointing", "fused_attention"):  # the same function
            values = (getattr(own.network, field.name), getattr(config.network, field.name))
            pairs[f"network.{field.name}"] = values
    wrong = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    if wrong:
        words = " ".join(f"{key}={shown(pair[0])}" for key, pair in wrong.items())
        here = ", ".join(f"{key}={shown(pair[1])}" for key, pair in wrong.items())
        raise ValueError(f"{name} was trained with {words}, this run has {here}: set {words}")


def shown(value: Any) -> str:
    """Return a value as the command line takes it."""
    text = str(list(value) if isinstance(value, tuple) else value)
    return text.replace(" ", "").replace("True", "true").replace("False", "false")
