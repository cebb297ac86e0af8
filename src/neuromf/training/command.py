"""`neuromf train`: latents to a model, resumable to the bit."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from neuromf.autoencoder.frozen import FrozenVAE, check_space
from neuromf.autoencoder.load import load_vae
from neuromf.generation.model import MODEL_FILES
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentStore
from neuromf.nets import DualTimeUNet, UNetConfig
from neuromf.runtime.device import pick_device
from neuromf.runtime.files import write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.training.bar import Bar
from neuromf.training.batches import Batches, loader
from neuromf.training.checkpoint import BEST, LAST, Origin, check_same_run, read_checkpoint
from neuromf.training.config import TrainConfig
from neuromf.training.diagnostics import DiagnosticsCallback
from neuromf.training.distributed import SameWeights, rank
from neuromf.training.export import export, spacing_of
from neuromf.training.guard import DivergenceGuard
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.meanflow import MeanFlowTask
from neuromf.training.preflight import preflight
from neuromf.training.previews import Previews
from neuromf.training.saver import Saver
from neuromf.training.start import first_network, start_model
from neuromf.training.validation import Validation, out_of_patience, sentence, summary

log = logging.getLogger("neuromf")
OUTPUT = Output(
    "train",
    (
        *("checkpoints/*.ckpt", "log.csv", "samples/update-*"),
        *("diagnostics.csv", "diagnostics/update-*"),
        *("evaluation.csv", "evaluation.json", "evaluation/real-*"),
        *(f"model/{name}" for name in MODEL_FILES),
    ),
    loose=("checkpoints/update-*.ckpt", "tensorboard/**", "model/vae/*"),
)


@dataclass(frozen=True)
class Data:
    """What is trained on."""

    store: LatentStore
    train: LatentDataset
    held_out: LatentDataset | None  # where the split has one

    @classmethod
    def read(cls, config: TrainConfig) -> Data:
        """Open a latent store. Raises StoreError where it does not fit the network, or holds no
        training latent.
        """
        if not config.latents:
            raise StoreError("latents= names no folder: give one that `neuromf encode` wrote")
        store = LatentStore(config.latents)
        check_size(config.latents, store.shape, config.network)
        train = LatentDataset(store, "train", augmentation=config.augmentation, seed=config.seed)
        held_out = LatentDataset(store, "val", train.stats) if store.split("val") else None
        return cls(store, train, held_out)

    @property
    def origin(self) -> Origin:
        """What a model folder, and a resumed run, have to know of the latents."""
        store = self.store
        return Origin(store.components, self.train.stats, spacing_of(store), store.sha256)


def check_size(where: str, shape: tuple[int, ...], network: UNetConfig) -> None:
    """Raise StoreError where latents (C, D, H, W) do not fit a network."""
    channels, *sizes = shape
    if channels != network.latent_channels:
        raise StoreError(
            f"{where} holds latents of {channels} channels, the network takes "
            f"{network.latent_channels}: set network.latent_channels={channels}"
        )
    if any(n % network.divisor for n in sizes):
        raise StoreError(
            f"{where} holds latents of size {tuple(sizes)}, a network of "
            f"{len(network.channels)} levels takes multiples of {network.divisor}: use fewer "
            "levels (network.channels, attention, attention_head_channels), or prepare volumes of "
            "another shape"
        )


def run(config: TrainConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Train into `out` (checkpoints/, log.csv, samples/, model/) and return the model's folder.

    A signal (SIGTERM, SIGUSR1) saves and raises Stopped. Raises StoreError, ValueError or
    WeightsError for data, settings or checkpoints that do not fit.
    """
    data = Data.read(config)
    device = pick_device(config.device)
    start_model(config, data.store.components)  # refused before anything is made
    last = out / "checkpoints" / LAST
    with _opened(out, config, resume=resume, overwrite=overwrite):
        found = read_checkpoint(last) if resume and last.is_file() else None
        loop = begin(config, data, found, str(last))
        if not is_done(loop, config):
            train(loop, config, data, device, out)
        if rank() == 0:
            finish(config, out, last)
    return out / "model"


def _opened(
    out: Path, config: TrainConfig, *, resume: bool, overwrite: bool
) -> contextlib.AbstractContextManager[Any]:
    """Return the run's folder, which the first process opens for all."""
    if rank() != 0:
        return contextlib.nullcontext()
    inputs = [config.latents, config.vae, config.start]
    return open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite)


def begin(config: TrainConfig, data: Data, found: dict[str, Any] | None, where: str) -> Loop:
    """Return a new loop, or that of a checkpoint. Raises ConfigError or ValueError where the
    checkpoint is of another run.
    """
    torch.manual_seed(config.seed)
    if found is None:
        return loop_of(config, first_network(config, data.store.components))
    check_same_run(found, config, data.origin)
    loop = loop_of(config, DualTimeUNet(config.network))
    loop.resume(found, where, first=rank() == 0)
    log.info("resumed after update %d", loop.state.update)
    return loop


def loop_of(config: TrainConfig, network: DualTimeUNet) -> Loop:
    """Return the loop that trains a network as configured."""
    task = MeanFlowTask(network, config.objective, config.compile)
    return Loop(task, config.optimiser, config.updates, config.ema, config.precision)


def is_done(loop: Loop, config: TrainConfig) -> bool:
    """Return True if the run has come to its end."""
    over = out_of_patience(loop.state.evaluations, config.evaluation)
    return loop.state.update > 0 and (loop.state.update >= config.updates or over)


def train(loop: Loop, config: TrainConfig, data: Data, device: torch.device, out: Path) -> None:
    """Train to the last update. Raises Stopped, or KeyboardInterrupt, where a signal asked for
    it.
    """
    if rank() == 0:
        loop.to(device)
        stats, network = data.train.stats, loop.network
        assert isinstance(network, DualTimeUNet)
        for said in preflight(network, config, stats.shape, stats.subjects):
            note(said)

    processes = config.devices * config.nodes
    batches = Batches(data.train, config, rank(), processes)
    callbacks, saver = observers(config, data, device, out)
    hardware = Hardware(device, config.devices, config.nodes)
    fit(loop, loader(batches, loop.state.update, pin=device.type == "cuda"), hardware, callbacks)
    saver.raise_if_stopped(loop)


def observers(
    config: TrainConfig, data: Data, device: torch.device, out: Path
) -> tuple[list[pl.Callback], Saver]:
    """Return what watches the run, in the order in which an update is told to them, and the one
    that saves it.
    """
    log = Log(out, config.log_every, config.batch * config.accumulate, config.equal_fraction_row)
    bar = Bar()
    checkpoints = config.checkpoints
    saver = Saver(
        out / "checkpoints", log, checkpoints.every, checkpoints.keep, "train", config,
        data.origin.record(),
    )  # fmt: skip
    found: list[pl.Callback] = [log, bar, DivergenceGuard(config.guard), SameWeights()]

    if config.diagnostics.every:
        one = replace(config, batch=config.diagnostics.batch, accumulate=1)
        fixed = Batches(data.train, replace(one, equal_fraction=None, max_interval=None))
        found.append(DiagnosticsCallback(log, bar, out, config, fixed.batch(0, 0)))

    vae = preview_vae(config, data, device) if rank() == 0 else None
    if config.evaluation.every and data.held_out is not None:
        decodes = config.evaluation.fid_every > 0
        if decodes and vae is None and rank() == 0:
            raise ValueError(
                "evaluation.fid_every needs the VAE of the latents, to decode them: set vae="
            )
        global_batch = config.batch * config.accumulate * config.devices * config.nodes
        epoch = -(-len(data.train) // global_batch)
        decoder = vae if decodes else None
        found.append(Validation(log, bar, out, config, data.held_out, saver, epoch, decoder))
    elif config.evaluation.every:
        note(
            f"{config.latents} holds no latent in the split 'val': nothing is evaluated in training"
        )

    return [*found, Previews(log, bar, out, config, data.train.stats, vae), saver], saver


def finish(config: TrainConfig, out: Path, last: Path) -> None:
    """Write what the run came to, and the model."""
    rows = read_checkpoint(last)["state"]["evaluations"]
    found = summary(rows, config.evaluation)
    if found:
        write_json(out / "evaluation.json", found)
        print(sentence(found))
    chosen = last.with_name(BEST if out_of_patience(rows, config.evaluation) else LAST)
    model = export(chosen, out / "model", vae=config.vae)
    print(f"{model}: a model to draw from: neuromf generate model={model} n=4")


def note(text: str) -> None:
    """Tell the user, and the log."""
    log.warning("%s", text)
    if rank() == 0:
        print(f"note: {text}")


def preview_vae(config: TrainConfig, data: Data, device: torch.device) -> FrozenVAE | None:
    """Return the VAE that samples are decoded with, None where it is not at hand; its absence
    stops no training.
    """
    try:
        vae = load_vae(config.vae or data.store.vae.name, device, config.precision)
        wanted = "the latents were made with"
        check_space(vae, data.store.vae, wanted, "encode again, or name that VAE")
    except (ValueError, OSError) as error:
        if config.vae:
            raise
        note(f"pictures show latents, not brains: {error}")
        return None
    return vae
