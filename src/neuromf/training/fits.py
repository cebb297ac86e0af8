"""What of a training fits into memory, as `neuromf doctor` tells it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from neuromf.autoencoder.load import load_vae
from neuromf.nets import DualTimeUNet
from neuromf.runtime.config import ConfigError
from neuromf.runtime.device import pick_device
from neuromf.training.command import fitting
from neuromf.training.config import TrainConfig
from neuromf.training.memory import free_gb
from neuromf.training.preflight import warnings
from neuromf.training.sizing import HEADROOM, Sizing, propose
from neuromf.training.start import first_network
from neuromf.training.watched import DECODE_GB


def read_shape(text: str) -> tuple[int, ...]:
    """Return the sizes in a text such as 4,48,48,48; none in an empty one. Raises ConfigError for
    anything but four whole numbers.
    """
    if not text:
        return ()
    parts = text.replace("x", ",").split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise ConfigError(
            f"--shape {text}: channels and three sizes are needed, such as 4,48,48,48"
        )
    return tuple(int(part) for part in parts)


def report(config: TrainConfig, shape: tuple[int, ...] = (), memory_gb: float = 0.0) -> str:
    """Return which batches of a training fit into the memory that is free here, or into
    `memory_gb`, and which one to take. A `shape` (C, D, H, W) stands for latents that do not exist
    yet.

    Raises ConfigError or ValueError for what `neuromf train` refuses.
    """
    if not shape and not config.latents:
        raise ConfigError(
            "latents= names no folder: give one that `neuromf encode` wrote, or --shape 4,48,48,48"
        )
    if shape and config.latents:
        raise ConfigError(f"latents={config.latents} have a shape of their own: leave out --shape")
    if not 0 <= memory_gb < math.inf:
        raise ConfigError(f"--memory {memory_gb}: a number of GB above 0")
    device = pick_device(config.device)
    training = _training(config, shape)
    shape, subjects = training.shape, training.subjects
    decoding, decoder = _decoding(config, training.vae, shape)
    sizings = [
        Sizing.of(training.parameters, config, shape, checkpointing=way, decoding_gb=decoding)
        for way in (False, True)
    ]
    free = memory_gb or free_gb(device)
    where = f"{free:.1f} GB, as asked" if memory_gb else f"{device}, {free:.1f} GB free"
    lines = [
        f"latents    {' x '.join(map(str, shape))}"
        + (f", {subjects} subjects to train on" if subjects else ""),
        f"network    {training.parameters / 1e6:.1f} million parameters, {config.precision}",
        f"memory     {where}, of which {HEADROOM:.0%} is planned with",
        f"decoding   {decoder}",
        "",
        *_sizes(sizings, free, config.batch * config.accumulate),
        "",
        *_advice(config, sizings, free),
    ]
    said = [*warnings(config, shape), *training.warnings]
    return "\n".join([*lines, *(f"note: {line}" for line in said)])


class _Training(NamedTuple):
    """What a training is, as far as its memory goes."""

    parameters: int
    shape: tuple[int, ...]  # of its latents
    vae: str  # the name of the VAE that samples are decoded with
    subjects: int = 0  # to train on, 0 where there are no latents yet
    warnings: Sequence[str] = ()


def _training(config: TrainConfig, shape: tuple[int, ...]) -> _Training:
    """Return a training on the latents that it names, or on latents of a shape."""
    if shape:
        with torch.device("meta"):
            network = DualTimeUNet(replace(config.network, latent_channels=shape[0]))
        return _Training(sum(p.numel() for p in network.parameters()), shape, config.vae)
    data, teacher = fitting(config)
    parameters = sum(p.numel() for p in first_network(config, data, teacher).parameters())
    stats, vae = data.train.stats, config.vae or data.store.vae.name
    return _Training(parameters, tuple(stats.shape), vae, stats.subjects, data.warnings())


def _decoding(config: TrainConfig, vae: str, shape: tuple[int, ...]) -> tuple[float, str]:
    """Return the memory that a decoded sample takes in a training, and a sentence on it."""
    if not vae:
        return 0.0, "not counted: vae=NAME names the VAE that samples are decoded with"
    try:
        gb = load_vae(vae, "cpu", config.precision).decode_gb(shape[1:], DECODE_GB)
    except (ValueError, OSError) as error:
        return 0.0, f"not counted: {error}"
    return gb, f"{gb:.1f} GB a sample by {vae}, between steps"


def _sizes(sizings: list[Sizing], free: float, latents: int) -> list[str]:
    """Return a table of what batches need, up to the latents of an update."""
    batches = [n for n in range(1, latents + 1) if latents % n == 0]
    head = "".join(f"{f'batch {n}':>12}" for n in batches)
    lines = [f"{'network.checkpointing':21}{head}{'largest':>12}"]
    for sizing in sizings:
        needs = "".join(f"{f'{sizing.needs(n):.1f} GB':>12}" for n in batches)
        largest = sizing.largest(free) or "none"
        lines.append(f"{str(sizing.checkpointing).lower():21}{needs}{largest:>12}")
    return lines


def _advice(config: TrainConfig, sizings: list[Sizing], free: float) -> list[str]:
    """Return whether the settings fit, and settings that do."""
    asked = next(s for s in sizings if s.checkpointing == config.network.checkpointing)
    needs = asked.needs(config.batch)
    fits = config.batch <= asked.largest(free)
    found = propose(sizings, config.batch * config.accumulate, free)
    lines = [
        f"as set     batch={config.batch} accumulate={config.accumulate} "
        f"network.checkpointing={str(config.network.checkpointing).lower()} needs {needs:.1f} GB: "
        + ("it fits" if fits else "it does not fit")
    ]
    if found is None:
        least = min(s.needs(1) for s in sizings) / HEADROOM
        lines.append(
            f"proposal   none: a single latent needs {least:.1f} GB free; take a smaller network "
            "(network.channels), shorter volumes, or another machine"
        )
    else:
        every = config.batch * config.accumulate * config.devices * config.nodes
        lines.append(f"proposal   {found.words}, the same {every} latents an update")
    return lines
