"""`neuromf train`: latents to a model, resumable to the bit."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from neuromf.autoencoder.frozen import FrozenVAE, same_vae
from neuromf.autoencoder.load import load_vae
from neuromf.generation.model import MODEL_FILES
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.shard import StoreError
from neuromf.latents.store import LatentStore
from neuromf.nets import DualTimeUNet
from neuromf.runtime.config import ConfigError
from neuromf.runtime.device import pick_device
from neuromf.runtime.files import write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.run import Stopped, open_run
from neuromf.training.batches import Batches, loader
from neuromf.training.config import TrainConfig, here
from neuromf.training.diagnostics import DiagnosticsLook
from neuromf.training.export import export, spacing_of
from neuromf.training.launch import print_job, submit
from neuromf.training.log import Meter
from neuromf.training.loop import MeanFlowModule
from neuromf.training.preflight import self_check
from neuromf.training.previews import SampleLook
from neuromf.training.start import first_network, start_model
from neuromf.training.state import BEST, LAST, Origin, Saver, check_same_run, read_checkpoint
from neuromf.training.validation import EvaluationLook, is_tired, sentence, summary

log = logging.getLogger("neuromf")
OUTPUT = Output(
    "train",
    (
        *(
            "checkpoints/*.ckpt",
            "log.csv",
            "samples/update-*",
            "diagnostics.csv",
            "diagnostics/update-*",
        ),
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
        """Open a latent store. Raises StoreError where it does not fit the network,
        or holds no training latent.
        """
        if not config.latents:
            raise StoreError("latents= names no folder: give one that `neuromf encode` wrote")
        store = LatentStore(config.latents)
        channels, *sizes = store.shape
        if channels != config.network.latent_channels:
            raise StoreError(
                f"{config.latents} holds latents of {channels} channels, the network takes "
                f"{config.network.latent_channels}: set network.latent_channels={channels}"
            )
        divisor = config.network.divisor
        if any(n % divisor for n in sizes):
            raise StoreError(
                f"{config.latents} holds latents of size {tuple(sizes)}, a network of "
                f"{len(config.network.channels)} levels takes multiples of {divisor}: use fewer "
                "levels (network.channels, attention, "
                "head_channels), or prepare volumes of another shape"
            )
        train = LatentDataset(store, "train", augmentation=config.augmentation, seed=config.seed)
        return cls(
            store, train, LatentDataset(store, "val", train.stats) if store.split("val") else None
        )

    @property
    def origin(self) -> Origin:
        """What a model folder, and a run that goes on, have to know of the latents."""
        return Origin(self.store.vae, self.train.stats, spacing_of(self.store), self.store.sha256)


def run(
    config: TrainConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> Path | None:
    """Train into `out` (checkpoints/, log.csv, samples/, model/) and return the model's folder.

    With launch=print or slurm the job is shown or submitted instead. A signal (SIGTERM, SIGUSR1)
    saves and raises Stopped. Raises StoreError, ValueError, WeightsError for data, settings or
    checkpoints that do not fit.
    """
    if config.launch != "here" and overwrite:
        raise ConfigError(
            "--overwrite does not go with launch=: delete the folder, or give another out="
        )
    data = Data.read(config)
    if config.launch == "print":
        print(print_job(config, out))
        return None
    if config.launch == "slurm":
        print(submit(config, out))
        return None
    device = pick_device(config.device)
    start_model(config, data.store.vae)  # refused before anything is made
    last = out / "checkpoints" / LAST
    with _opened(out, config, resume=resume, overwrite=overwrite):
        state = read_checkpoint(last) if resume and last.is_file() else {}
        module = begin(config, data, state, str(last))
        if not is_done(config, state):
            train(module, data, device, out, state)
        if rank() == 0:
            looks = read_checkpoint(last)["meter"]["looks"]
            found = summary(looks, config)
            if found:
                write_json(out / "evaluation.json", found)
                print(sentence(found))
            best = is_tired(looks, config)
            model = export(
                out / "checkpoints" / (BEST if best else LAST), out / "model", vae=config.vae
            )
            print(f"{model}: a model to draw from: neuromf generate model={model} n=4")
    return out / "model"


def _opened(
    out: Path, config: TrainConfig, *, resume: bool, overwrite: bool
) -> contextlib.AbstractContextManager[Any]:
    """Return the run's folder, which the first process opens for all."""
    if rank() != 0:
        return contextlib.nullcontext()
    inputs = [config.latents, config.vae, config.start]
    return open_run(out, here(config), OUTPUT, inputs, resume=resume, overwrite=overwrite)


def begin(config: TrainConfig, data: Data, state: dict[str, Any], where: str) -> MeanFlowModule:
    """Return a new module, or the one of a checkpoint. Raises ConfigError or
    ValueError for another run's.
    """
    torch.manual_seed(config.seed)
    if not state:
        return MeanFlowModule(first_network(config, data.store.vae), config)
    check_same_run(state, config, data.origin)
    module = MeanFlowModule(DualTimeUNet(config.network), config)
    module.load_weights(state, where)
    log.info("going on after update %d", module.update)
    return module


def is_done(config: TrainConfig, state: dict[str, Any]) -> bool:
    """Say whether a checkpoint is the end of its run."""
    return bool(state) and (
        state["update"] >= config.updates or is_tired(state["meter"]["looks"], config)
    )


def train(
    module: MeanFlowModule, data: Data, device: torch.device, out: Path, state: dict[str, Any]
) -> None:
    """Train a module to its last update. Raises Stopped, or KeyboardInterrupt,
    where a signal asked for it.
    """
    config, stats = module.config, data.train.stats
    if rank() == 0:
        module.to(device)
        for said in self_check(module.network, config, stats.shape, stats.subjects):
            note(said)
    meter = Meter(out, config)
    if state:
        meter.load(state["meter"], first=rank() == 0)
    saver = Saver(out, config, data.origin, meter)
    looks: list[pl.Callback] = []
    if config.diagnostics.every:
        fixed = replace(
            config,
            batch=config.diagnostics.batch,
            accumulate=1,
            equal_fraction=None,
            max_interval=None,
        )
        looks.append(DiagnosticsLook(meter, out, config, Batches(data.train, fixed)[0]))
    vae = picture_vae(config, data, device) if rank() == 0 else None
    if config.evaluation.every and data.held_out is not None:
        if config.evaluation.fid_every and vae is None and rank() == 0:
            raise ValueError(
                "evaluation.fid_every needs the VAE of the latents, to decode them: set vae="
            )
        epoch = -(
            -len(data.train) // (config.batch * config.accumulate * config.devices * config.nodes)
        )
        decoding = vae if config.evaluation.fid_every else None
        looks.append(EvaluationLook(meter, out, config, data.held_out, saver, epoch, decoding))
    elif config.evaluation.every:
        note(
            f"{config.latents} holds no latent in the split "
            "'val': nothing is evaluated while training"
        )
    looks.append(SampleLook(meter, out, config, stats, vae))
    restore = Restore(state.pop("optimiser", None))
    state.clear()  # the weights are in the module now
    with quiet():
        trainer = pl.Trainer(
            **trainer_options(config, device), callbacks=[meter, *looks, saver, restore]
        )
        batches = Batches(data.train, config, trainer.global_rank, trainer.world_size)
        trainer.fit(
            module, loader(batches, module.update * config.accumulate, pin=device.type == "cuda")
        )
    if saver.stopped and module.update < config.updates:
        if saver.asked == signal.SIGINT:
            raise KeyboardInterrupt
        raise Stopped(
            f"stopped after update {module.update} of {config.updates}, all saved: --resume goes on"
        )


def note(text: str) -> None:
    """Tell the user, and the log."""
    log.warning("%s", text)
    if rank() == 0:
        print(f"note: {text}")


class Restore(pl.Callback):
    """Gives the optimiser its state back, once there is one, and checks that all processes
    start alike.
    """

    def __init__(self, optimiser: dict[str, Any] | None) -> None:
        self.optimiser = optimiser

    def on_train_start(self, trainer: pl.Trainer, module: MeanFlowModule) -> None:
        if self.optimiser is not None:
            module.load_optimiser(self.optimiser)
            self.optimiser = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: MeanFlowModule, outputs: Any, batch: Any, number: int
    ) -> None:
        """Check after the first update of this start that gradients were shared."""
        if trainer.world_size > 1 and number == module.config.accumulate - 1:
            mine = torch.stack(
                [p.detach().double().sum() for p in module.network.parameters()]
            ).sum()
            others = trainer.strategy.all_gather(mine)
            if others.min() != others.max():
                raise RuntimeError(
                    f"the processes hold different weights after one update: {others.tolist()}"
                )


def picture_vae(config: TrainConfig, data: Data, device: torch.device) -> FrozenVAE | None:
    """Return the VAE that samples are decoded with, None where it is not at hand;
    its absence stops no training.
    """
    try:
        vae = load_vae(config.vae or data.store.vae.name, device, config.precision)
        same_vae(
            vae, data.store.vae, "the latents were made with", "encode again, or name that VAE"
        )
    except (ValueError, OSError) as error:
        if config.vae:
            raise
        note(f"pictures show latents, not brains: {error}")
        return None
    return vae


def trainer_options(config: TrainConfig, device: torch.device) -> dict[str, Any]:
    """Return what Lightning is asked for: devices, precision, accumulation;
    logging and saving are ours.
    """
    several = config.devices * config.nodes > 1
    if several and device.type == "cuda" and config.devices > torch.cuda.device_count():
        raise ValueError(
            f"devices={config.devices}: torch sees {torch.cuda.device_count()} GPUs here"
        )
    if several and device.index is not None:
        raise ValueError(
            f"device={device} names one GPU, "
            f"devices={config.devices}: device=cuda takes the first ones"
        )
    one = [device.index] if device.type == "cuda" and device.index is not None else 1
    return {
        "accelerator": "gpu" if device.type == "cuda" else "cpu",
        "devices": config.devices if several else one,
        "num_nodes": config.nodes,
        "strategy": "ddp" if several else "auto",
        "precision": "bf16-mixed" if config.precision == "bfloat16" else "32-true",
        "accumulate_grad_batches": config.accumulate,
        "gradient_clip_val": config.optimiser.clip,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "plugins": [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else None,
    }


def rank() -> int:
    """Return the number of this process among those that train
    together, before they are connected.
    """
    names = (
        ("RANK", "SLURM_PROCID")
        if SLURMEnvironment.detect()
        else ("RANK", "LOCAL_RANK", "NODE_RANK")
    )
    found = [int(os.environ[name]) for name in names if name in os.environ]
    return found[0] if "RANK" in os.environ else max(found, default=0)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's remarks off the terminal: what matters of them is said by the run itself."""
    names = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
