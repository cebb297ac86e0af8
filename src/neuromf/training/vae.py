"""`neuromf train-vae`: train the small VAE on patches of prepared volumes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuromf.autoencoder.blocks import channels_last
from neuromf.autoencoder.small import SmallVAE, load_small, save_small
from neuromf.data.cohort import Entry, read_cohorts
from neuromf.pretrained.statedict import WeightsError
from neuromf.runtime.device import pick_device
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.training.bar import Bar
from neuromf.training.checkpoint import LAST, read_checkpoint
from neuromf.training.export import name_of
from neuromf.training.held_out import HeldOut
from neuromf.training.loading import numbered
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.patches import Patches
from neuromf.training.saver import Saver
from neuromf.training.vae_config import TrainVAEConfig
from neuromf.training.vae_task import VAETask

OUTPUT = Output(
    "train-vae",
    (
        *("model.safetensors", "config.json", "README.md", "log.csv", "evaluation.csv"),
        *("checkpoints/*.ckpt", "scores.json", "checkpoint.pt"),
    ),
    loose=("tensorboard/**",),
)
EARLIER = "checkpoint.pt"  # of version 0.1


def run(
    config: TrainVAEConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, float]:
    """Train into `out` (model.safetensors, config.json, README.md, log.csv, evaluation.csv,
    checkpoints/) and return the scores of held-out volumes.

    A signal (SIGTERM, SIGUSR1, Ctrl-C) saves and ends the run. Raises ValueError or WeightsError
    for data, settings or checkpoints that do not fit.
    """
    cohorts = read_cohorts(config.volumes)
    training, held_out = split(cohorts, config.patch, config.check_volumes)
    config = replace(config, name=config.name or name_of(out))
    device = pick_device(config.device)
    last = out / "checkpoints" / LAST
    with open_run(out, config, OUTPUT, [config.volumes], resume=resume, overwrite=overwrite):
        if resume and (out / EARLIER).is_file() and not last.is_file():
            raise WeightsError(
                f"{out / EARLIER} is of version 0.1, which this version cannot resume: start again "
                "with --overwrite"
            )
        loop = new_loop(config)
        if resume and last.is_file():
            loop.resume(read_checkpoint(last, "train-vae"), str(last))
        if loop.state.update < config.updates:
            train(loop, config, training, held_out, device, out)

        last_row = loop.state.evaluations[-1]
        scores = {k: v for k, v in last_row.items() if k != "update"}
        write_json(out / "scores.json", scores)
        parameters = sum(p.numel() for p in loop.network.parameters())
        write_text(out / "README.md", card(config, cohorts, scores, parameters))
    return scores


def split(
    cohorts: Sequence[Sequence[Entry]], patch: int, check_volumes: int
) -> tuple[list[list[Entry]], list[Entry]]:
    """Return the training volumes of each cohort, and the held-out ones that are looked at.
    Raises ValueError where there are none to train on, or they are smaller than a patch.
    """
    training = [[e for e in cohort if e.split == "train"] for cohort in cohorts]
    held_out = list({e.name: e for cohort in cohorts for e in cohort if e.split == "val"}.values())
    held_out = held_out[:: max(1, len(held_out) // check_volumes)][:check_volumes]
    if any(not cohort for cohort in training):
        raise ValueError("a folder of volumes= has no training subject: see its split.json")
    smallest = min(min(cohort[0].read().voxels.shape) for cohort in training)
    if patch > smallest:
        raise ValueError(
            f"patch is {patch}, the volumes measure {smallest} voxels along an axis: at "
            f"most patch={smallest // 4 * 4}"
        )

    return training, held_out


def new_loop(config: TrainVAEConfig) -> Loop:
    """Return the loop that trains a new VAE of the configuration's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = SmallVAE(config.network)
    channels_last(network)
    task = VAETask(network, config)
    return Loop(task, config.optimiser, config.updates, (config.ema,), config.precision)


def train(
    loop: Loop,
    config: TrainVAEConfig,
    training: Sequence[Sequence[Entry]],
    held_out: Sequence[Entry],
    device: torch.device,
    out: Path,
) -> None:
    """Train to the last update. Raises Stopped, or KeyboardInterrupt,
    where a signal asked for it.
    """
    log, bar = Log(out, config.log_every, config.batch), Bar("train-vae")
    folder = out / "checkpoints"
    saver = Saver(folder, log, config.check_every, 0, "train-vae", config, {})

    def reconstructions(loop: Loop) -> Iterator[tuple[Tensor, Tensor]]:
        average: Any = loop.average
        save_small(out, average, config.network, config.name)
        vae = load_small(out, loop.device, config.precision)
        for entry in held_out:
            x = torch.from_numpy(entry.read().voxels)
            yield x, vae.decode(vae.encode(x[None, None]))[0, 0].cpu()

    looks = HeldOut(log, bar, out, config.check_every, config.updates, reconstructions)
    callbacks = [log, bar, looks, saver]
    left = range(loop.state.update, config.updates)
    batches = numbered(Patches(training, config), left, config.num_workers)
    fit(loop, lambda rank, processes: batches, Hardware(device), callbacks)
    saver.raise_if_stopped(loop)


def card(
    config: TrainVAEConfig,
    cohorts: Sequence[Sequence[Entry]],
    scores: dict[str, float],
    parameters: int,
) -> str:
    """Return the model card."""
    lines = [
        f"# {config.name}",
        "",
        f"A VAE for volumes in [0, 1] as `neuromf prepare` writes them: {parameters:,} "
        f"parameters, {config.network.channels} latent channels, factor 4 per axis.",
        "",
        f"Trained for {config.updates} updates of {config.batch} patches of {config.patch}³ "
        f"voxels, seed {config.seed}, on:",
        "",
        *trained_on(cohorts),
        "",
        "Held-out subjects, whole volumes: "
        + (", ".join(f"{k} {v:g}" for k, v in scores.items()) or "none"),
        "",
        "For research; not for clinical use.",
        "",
    ]
    return "\n".join(lines)


def trained_on(cohorts: Sequence[Sequence[Entry]]) -> list[str]:
    """Return a line of a model card for each dataset: how many of its volumes were trained on."""
    counts: dict[str, int] = {}
    training = {e.path: e for cohort in cohorts for e in cohort if e.split == "train"}
    for entry in training.values():
        key = (entry.record["dataset"] or "unnamed") + (
            " (deformed copies)" if entry.record.get("parent") else ""
        )
        counts[key] = counts.get(key, 0) + 1

    return [f"- {name}: {count} volumes" for name, count in sorted(counts.items())]
