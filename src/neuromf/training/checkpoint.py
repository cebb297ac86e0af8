"""The state of a run on disk: written whole, read without running code, refused where it is of another run."""

from __future__ import annotations

import logging
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from neuromf.config import to_yaml
from neuromf.latents.store import VAEIdentity
from neuromf.nets.weights import WeightsError, read_pickle
from neuromf.run import atomic, provenance
from neuromf.training.config import TrainConfig
from neuromf.training.meter import Meter
from neuromf.training.module import MeanFlowModule

log = logging.getLogger("neuromf")
FORMAT = 1
LAST, BEST = "last.ckpt", "best.ckpt"
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)  # the second is what a cluster sends before a job's time is over


class Saver(pl.Callback):
    """Saves every so many updates, at the end, and when a signal asks to stop; older checkpoints are deleted."""

    def __init__(self, out: Path, config: TrainConfig, vae: VAEIdentity, meter: Meter) -> None:
        self.folder, self.config, self.vae, self.meter = out / "checkpoints", config, vae, meter
        self.asked = False
        self.stopped = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Listen to signals; from here on, since Lightning sets its own before and restores the earlier ones after."""
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._ask)

    def _ask(self, number: int, _: Any) -> None:
        self.asked = True
        log.info("%s: the run stops after this update", signal.Signals(number).name)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: MeanFlowModule, outputs: Any, batch: Any, number: int
    ) -> None:
        if not module.ends_update(number):
            return
        self.stopped = trainer.strategy.reduce_boolean_decision(self.asked, all=False)
        over = module.update == self.config.updates or trainer.should_stop
        if (self.stopped or over or module.update % self.config.checkpoints.every == 0) and trainer.is_global_zero:
            self.save(module)
        if self.stopped:
            trainer.should_stop = True

    def save(self, module: MeanFlowModule, name: str = LAST) -> None:
        """Write a checkpoint; the one that was last before is kept under its update's number, as many as asked for."""
        self.folder.mkdir(exist_ok=True)
        state = module.state() | {
            "format": FORMAT,
            "config": to_yaml(self.config),
            "vae": asdict(self.vae),
            "rows": self.meter.rows,
            "looks": self.meter.looks,
            "provenance": provenance(),
        }
        with atomic(self.folder / name) as path:
            torch.save(state, path)
        if name == LAST and self.config.checkpoints.keep:
            self._keep(module.update)

    def _keep(self, update: int) -> None:
        kept = self.folder / f"update-{update:08d}.ckpt"
        kept.unlink(missing_ok=True)
        kept.hardlink_to(self.folder / LAST)
        for old in sorted(self.folder.glob("update-*.ckpt"))[: -(self.config.checkpoints.keep + 1)]:
            old.unlink()


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint. Raises FileNotFoundError, or WeightsError for a file that is none, or damaged."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    state = read_pickle(path)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise WeightsError(f"{path}: no checkpoint of `neuromf train` in format {FORMAT}")
    return state


def check_same_latents(state: dict[str, Any], vae: VAEIdentity, where: str) -> None:
    """Raise ValueError where a checkpoint was trained on latents of another VAE."""
    if state["vae"] != asdict(vae):
        raise ValueError(
            f"the checkpoint was trained on latents of {state['vae']['name']} ({state['vae']['sha256'][:16]}), {where} "
            f"holds latents of {vae.name} ({vae.sha256[:16]}): give the latents that the run began with"
        )
