"""`neuromf train`: latents to a model, resumable to the bit."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from neuromf.generation.adapter import FILES as ADAPTER_FILES
from neuromf.generation.model import MODEL_FILES
from neuromf.nets.lora import trained
from neuromf.runtime.device import pick_device
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.runtime.shell import typed
from neuromf.training.bar import Bar
from neuromf.training.batches import Batch, Batches, loader
from neuromf.training.checkpoint import BEST, LAST, check_same_run, read_checkpoint
from neuromf.training.config import TrainConfig
from neuromf.training.data import Data
from neuromf.training.diagnostics import DiagnosticsCallback
from neuromf.training.distributed import SameWeights
from neuromf.training.export import export, export_adapter
from neuromf.training.guard import DivergenceGuard
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, Task, fit
from neuromf.training.meanflow import MeanFlowTask
from neuromf.training.memory import memory_gb
from neuromf.training.monitor import out_of_patience, sentence, summary
from neuromf.training.preflight import preflight, warnings
from neuromf.training.previews import Previews
from neuromf.training.ranks import note, rank
from neuromf.training.saver import Saver
from neuromf.training.secants import SecantTask
from neuromf.training.start import (
    check_base,
    check_student,
    first_network,
    new_network,
    start_model,
)
from neuromf.training.teacher import Teacher, check_same_teacher, load_teacher
from neuromf.training.validation import Validation
from neuromf.training.watched import Watched
from neuromf.training.writers import check_project

log = logging.getLogger("neuromf")
# What watches a run, in the order in which an update is told to them: after the log and the
# progress bar, before the checkpoint is saved.
OBSERVERS: tuple[Callable[[Watched], Sequence[pl.Callback]], ...] = (
    DivergenceGuard.of,
    SameWeights.of,
    DiagnosticsCallback.of,
    Validation.of,
    Previews.of,
)
OUTPUT = Output(
    "train",
    (
        *("checkpoints/*.ckpt", "log.csv", "samples/update-*"),
        *("diagnostics.csv", "diagnostics/update-*"),
        *("evaluation.csv", "evaluation.json", "evaluation/real-*", "evaluation/teacher-*"),
        *(f"model/{name}" for name in MODEL_FILES),
        *(f"adapter/{name}" for name in ADAPTER_FILES),
    ),
    loose=("checkpoints/update-*.ckpt", "tensorboard/**", "wandb/**", "model/vae/*"),
)


def run(config: TrainConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Train into `out` (checkpoints/, log.csv, samples/, model/) and return the model's folder.

    A signal (SIGTERM, SIGUSR1) saves and raises Stopped. Raises StoreError, ValueError or
    WeightsError for data, settings or checkpoints that do not fit.
    """
    data, teacher = fitting(config)  # refused before anything is made
    device = pick_device(config.device)
    last = out / "checkpoints" / LAST

    with _opened(out, config, resume=resume, overwrite=overwrite):
        found = read_checkpoint(last) if resume and last.is_file() else None
        loop = begin(config, data, teacher, found, str(last))
        if not is_done(loop, config):
            train(loop, config, data, device, out, teacher)
        if rank() == 0:
            finish(config, out, last)

    return out / "model"


def fitting(config: TrainConfig) -> tuple[Data, Teacher | None]:
    """Return the latents of a run and its teacher. Raises StoreError, ValueError or WeightsError
    where they, or the model to start from, do not fit each other.
    """
    check_project(config.wandb)
    data = Data.read(config)
    conditions = data.known.conditions
    start_model(config, data.store.components, conditions)
    check_base(config, data)
    teacher = load_teacher(config, data.origin)
    check_student(config, teacher)
    return data, teacher


def check(config: TrainConfig) -> list[str]:
    """Return what the user should know before a training waits in a queue for its machine, the
    memory of a step included. Raises what `run` raises before it makes anything.
    """
    data, teacher = fitting(config)
    stats = data.train.stats
    network = first_network(config, data, teacher)
    need = memory_gb(network, config, stats.shape)
    known = [*warnings(config, stats.shape), *data.warnings()]
    return [*known, f"a step of batch={config.batch} needs about {need:.1f} GB on each device"]


def _opened(
    out: Path, config: TrainConfig, *, resume: bool, overwrite: bool
) -> contextlib.AbstractContextManager[Any]:
    """Return the run's folder, which the first process opens for all."""
    if rank() != 0:
        return contextlib.nullcontext()
    inputs = [config.latents, config.vae, config.start, config.teacher, config.adapt]
    return open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite)


def begin(
    config: TrainConfig,
    data: Data,
    teacher: Teacher | None,
    found: dict[str, Any] | None,
    where: str,
) -> Loop:
    """Return a new loop, or that of a checkpoint. Raises ConfigError or ValueError where the
    checkpoint is of another run.
    """
    torch.manual_seed(config.seed)
    if found is None:
        return loop_of(config, first_network(config, data, teacher), teacher)
    check_same_run(found, config, data.origin)
    check_same_teacher(found, teacher, where)
    loop = loop_of(config, new_network(config, data), teacher)
    loop.resume(found, where, first=rank() == 0)
    log.info("resumed after update %d", loop.state.update)
    return loop


def loop_of(config: TrainConfig, network: nn.Module, teacher: Teacher | None = None) -> Loop:
    """Return the loop that trains a network as configured."""
    wanted, objective = config.distillation, config.objective
    task: Task = MeanFlowTask(network, objective, config.compile, teacher)
    if teacher is not None and wanted.target == "trajectory":
        task = SecantTask(network, objective, teacher, wanted.steps, config.compile)
    return Loop(task, config.optimiser, config.updates, config.ema, config.precision)


def is_done(loop: Loop, config: TrainConfig) -> bool:
    """Return True if the run has come to its end."""
    over = out_of_patience(loop.state.evaluations, config.evaluation)
    return loop.state.update > 0 and (loop.state.update >= config.updates or over)


def train(
    loop: Loop,
    config: TrainConfig,
    data: Data,
    device: torch.device,
    out: Path,
    teacher: Teacher | None = None,
) -> None:
    """Train to the last update. Raises Stopped, or KeyboardInterrupt, where a signal asked for
    it.
    """
    run = watched(config, data, device, out, teacher)
    if rank() == 0:
        loop.to(device)
        stats = data.train.stats
        if config.adapt:
            few, every = trained(loop.network)
            note(f"{few:,} of {every:,} parameters are trained ({few / every:.2%})")
        found = preflight(loop.network, config, stats.shape, run.vae)
        for said in (*found, *data.warnings()):
            note(said)

    def batches(rank: int, processes: int) -> Iterable[list[Batch]]:
        own = Batches(data.train, config, rank, processes, data.known)
        return loader(own, loop.state.update, pin=device.type == "cuda")

    callbacks = [run.log, run.bar, *(c for make in OBSERVERS for c in make(run)), run.saver]
    fit(loop, batches, Hardware(device, config.devices, config.nodes), callbacks)
    run.saver.raise_if_stopped(loop)


def watched(
    config: TrainConfig,
    data: Data,
    device: torch.device,
    out: Path,
    teacher: Teacher | None = None,
) -> Watched:
    """Return what the observers of a run are made of."""
    samples = config.batch * config.accumulate
    log = Log(out, config.log_every, samples, config.log_row, config.wandb)
    kept, about = config.checkpoints, data.origin.record()
    if teacher is not None:
        about["teacher"] = teacher.sha256
    saver = Saver(out / "checkpoints", log, kept.every, kept.keep, "train", config, about)
    return Watched(config, data, out, log, Bar(), saver, device, teacher)


def finish(config: TrainConfig, out: Path, last: Path) -> None:
    """Write what the run came to, and the model."""
    rows = read_checkpoint(last)["state"]["evaluations"]
    found = summary(rows, config.evaluation)
    if found:
        print(sentence(found, config.evaluation))
    chosen = chosen_checkpoint(config, last)
    model = export(chosen, out / "model", vae=config.vae)
    if config.adapt and config.lora.adapts:
        adapter = export_adapter(chosen, out / "adapter")
        alone = typed("neuromf", "generate", f"model={config.adapt}", f"adapter={adapter}")
        print(f"{adapter}: what it learned, for the same model: {alone}")
    draw = typed("neuromf", "generate", f"model={model}", "n=4")
    print(f"{model}: a model to draw from: {draw}")


def chosen_checkpoint(config: TrainConfig, last: Path) -> Path:
    """Return the checkpoint that a finished run's model is of: the best where patience ended it,
    which is some updates back, else the last.
    """
    rows = read_checkpoint(last)["state"]["evaluations"]
    return last.with_name(BEST if out_of_patience(rows, config.evaluation) else LAST)
