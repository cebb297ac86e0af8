"""`neuromf train-decoder`: train a fast decoder for the latents of a frozen encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuromf.autoencoder.decoder import new_decoder
from neuromf.autoencoder.exchange import check_factor, load_decoder, save_decoder
from neuromf.autoencoder.frozen import FrozenVAE, LatentSpace
from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import Entry, read_cohorts
from neuromf.pretrained.statedict import WeightsError
from neuromf.runtime.device import pick_device
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.training.bar import Bar
from neuromf.training.checkpoint import LAST, read_checkpoint
from neuromf.training.decoder_config import TrainDecoderConfig
from neuromf.training.decoder_data import channel_std, content, latent_source, with_latents
from neuromf.training.decoder_task import DecoderTask
from neuromf.training.export import name_of
from neuromf.training.held_out import HeldOut
from neuromf.training.latent_patches import LatentPatches, LatentVolume
from neuromf.training.loading import numbered
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.saver import Saver
from neuromf.training.vae import split, trained_on

OUTPUT = Output(
    "train-decoder",
    (
        *("model.safetensors", "config.json", "README.md", "log.csv", "evaluation.csv"),
        *("checkpoints/*.ckpt", "scores.json"),
    ),
    loose=("tensorboard/**",),
)


@dataclass(frozen=True)
class Origin:
    """What a decoder is trained on."""

    space: LatentSpace
    earlier: tuple[str, ...]  # whole VAEs by which version 0.1 named the space
    volumes: str  # fingerprint
    teacher: str  # fingerprint of the decoder that is a target too; empty for none

    def record(self) -> dict[str, Any]:
        """Return what a checkpoint says of it."""
        return {"space": self.space.sha256, "volumes": self.volumes, "teacher": self.teacher}


def run(
    config: TrainDecoderConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, float]:
    """Train into `out` (model.safetensors, config.json, README.md, log.csv, evaluation.csv,
    checkpoints/) and return the scores of held-out volumes.

    A signal (SIGTERM, SIGUSR1, Ctrl-C) saves and ends the run. Raises ValueError or WeightsError
    for data, VAEs, settings or checkpoints that do not fit.
    """
    cohorts = read_cohorts(config.volumes)
    training, held_out = split(cohorts, config.patch, config.check_volumes)
    config = replace(config, name=config.name or name_of(out))
    device = pick_device(config.device)
    vae = load_vae(config.vae, device, config.precision)
    check_factor(vae.space)
    latent_of = latent_source(vae, config.latents)

    inputs = [config.volumes, config.vae, config.latents]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        teacher = vae.decoder_sha256 if config.teacher else ""
        origin = Origin(vae.space, vae.whole, content(training), teacher)
        last = out / "checkpoints" / LAST
        checkpoint = None
        if resume and last.is_file():
            checkpoint = read_checkpoint(last, "train-decoder")
            check_same_origin(checkpoint, origin, config)

        *latents, looked_at = with_latents([*training, held_out], latent_of)
        loop = new_loop(config, vae, channel_std(latents))
        if checkpoint is not None:
            loop.resume(checkpoint, str(last))
        if loop.state.update < config.updates:
            train(loop, config, latents, looked_at, origin, device, out)

        last_row = loop.state.evaluations[-1]
        scores = {k: v for k, v in last_row.items() if k != "update"}
        write_json(out / "scores.json", scores)
        write_text(out / "README.md", card(config, cohorts, scores, origin.space))
    return scores


def check_same_origin(
    checkpoint: dict[str, Any], origin: Origin, config: TrainDecoderConfig
) -> None:
    """Raise WeightsError where a checkpoint is of another latent space, other volumes or another
    teacher.
    """
    before, now = checkpoint.get("space"), origin.space
    if before != now.sha256:
        raise WeightsError(
            f"the checkpoint is of a decoder for the encoder {str(before)[:16]}, vae={config.vae} "
            f"has the encoder {now.sha256[:16]}: give the VAE that the run began with, or choose "
            "another out=FOLDER"
        )
    if checkpoint.get("teacher") != origin.teacher:
        raise WeightsError(
            f"vae={config.vae} has another decoder than the run began with, and teacher="
            f"{config.teacher:g} makes it a target: give that VAE, or choose another out=FOLDER"
        )
    if checkpoint.get("volumes") != origin.volumes:
        raise WeightsError(
            f"volumes={config.volumes} holds other training volumes than the run began with: give "
            "those, or choose another out=FOLDER"
        )


def new_loop(config: TrainDecoderConfig, vae: FrozenVAE, std: Tensor) -> Loop:
    """Return the loop that trains a new decoder of the configuration's seed."""
    task = DecoderTask(new_decoder(config.network, vae.channels, config.seed), config, std, vae)
    return Loop(task, config.optimiser, config.updates, (config.ema,), config.precision)


def train(
    loop: Loop,
    config: TrainDecoderConfig,
    training: Sequence[Sequence[LatentVolume]],
    held_out: Sequence[LatentVolume],
    origin: Origin,
    device: torch.device,
    out: Path,
) -> None:
    """Train to the last update. Raises Stopped, or KeyboardInterrupt, where a signal asked for
    it.
    """

    def reconstructions(loop: Loop) -> Iterator[tuple[Tensor, Tensor]]:
        average: Any = loop.average
        save_decoder(out, average, config.network, config.name, origin.space, origin.earlier)
        decoder = load_decoder(out, loop.device, config.precision)
        for entry, latent in held_out:
            yield torch.from_numpy(entry.read().voxels), decoder.decode(latent[None])[0, 0].cpu()

    log, bar = Log(out, config.log_every, config.batch), Bar("train-decoder")
    saver = Saver(
        *(out / "checkpoints", log, config.check_every, 0, "train-decoder", config),
        about=origin.record(),
    )
    looks = HeldOut(log, bar, out, config.check_every, config.updates, reconstructions)
    left = range(loop.state.update, config.updates)
    batches = numbered(LatentPatches(training, config), left, config.num_workers)

    fit(loop, lambda rank, processes: batches, Hardware(device), [log, bar, looks, saver])
    saver.raise_if_stopped(loop)


def card(
    config: TrainDecoderConfig,
    cohorts: Sequence[Sequence[Entry]],
    scores: dict[str, float],
    space: LatentSpace,
) -> str:
    """Return the model card."""
    network = new_decoder(config.network, space.channels, config.seed)
    parameters = sum(p.numel() for p in network.parameters())
    lines = [
        f"# {config.name}",
        "",
        f"A decoder for latents of {space.name} (encoder {space.sha256}): {parameters:,} "
        f"parameters, {space.channels} latent channels, factor {space.factor} per axis. It holds "
        f"no weights of {space.name}.",
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
