"""The state of a run on disk: written whole, read without running code, refused where it
is of another run.
"""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch

from neuromf.autoencoder.frozen import VAEIdentity
from neuromf.latents.statistics import LatentStats
from neuromf.pretrained.statedict import WeightsError, read_pickle
from neuromf.runtime.config import to_yaml
from neuromf.runtime.files import atomic
from neuromf.runtime.records import as_record
from neuromf.runtime.run import provenance, refuse_other_config
from neuromf.training.config import TrainConfig, here
from neuromf.training.log import Meter
from neuromf.training.loop import MeanFlowModule

log = logging.getLogger("neuromf")
FORMAT = 1
HELD = {  # what every checkpoint holds, among others
    **dict.fromkeys(("network", "averages", "vae", "stats", "meter", "provenance"), dict),
    **{"config": str, "update": int, "spacing": tuple | list},
}
LAST, BEST = "last.ckpt", "best.ckpt"
# USR: before a cluster job's time is over
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)


class Origin(NamedTuple):
    """What a run's latents are, which a model folder will need."""

    vae: VAEIdentity
    stats: LatentStats
    spacing: tuple[float, float, float]  # mm, of the volumes
    latents: str  # fingerprint of the store


class Saver(pl.Callback):
    """Saves every so many updates, at the end, and when a signal asks to stop;
    older checkpoints are deleted.
    """

    def __init__(self, out: Path, config: TrainConfig, origin: Origin, meter: Meter) -> None:
        self.folder, self.config, self.origin, self.meter = (
            out / "checkpoints",
            config,
            origin,
            meter,
        )
        self.asked = 0  # the signal that asked for a stop
        self.stopped = False

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Listen to signals; from here on, since Lightning sets its own before and
        restores the earlier ones after.
        """
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                signal.signal(number, self._ask)

    def _ask(self, number: int, _: Any) -> None:
        if self.asked == number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: at once
        self.asked = number
        log.info("%s: the run stops after this update", signal.Signals(number).name)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: MeanFlowModule, outputs: Any, batch: Any, number: int
    ) -> None:
        if not module.ends_update(number):
            return
        self.stopped = trainer.strategy.reduce_boolean_decision(bool(self.asked), all=False)
        over = module.update == self.config.updates or trainer.should_stop
        if (
            self.stopped or over or module.update % self.config.checkpoints.every == 0
        ) and trainer.is_global_zero:
            with self.meter.pause():
                self.save(module)
        if self.stopped:
            trainer.should_stop = True

    def save(self, module: MeanFlowModule, name: str = LAST) -> None:
        """Write a checkpoint; the last ones are also kept under their update's
        number, as many as asked for.
        """
        self.folder.mkdir(exist_ok=True)
        state = module.state() | {
            "format": FORMAT,
            "config": recorded(self.config),
            "vae": asdict(self.origin.vae),
            "stats": asdict(self.origin.stats),
            "spacing": self.origin.spacing,
            "latents": self.origin.latents,
            "meter": self.meter.state(),
            "provenance": provenance(),
        }
        with atomic(self.folder / name) as path:
            torch.save(state, path)
        if name == LAST and self.config.checkpoints.keep:
            self._keep(module.update)

    def _keep(self, update: int) -> None:
        kept = self.folder / f"update-{update:08d}.ckpt"
        kept.unlink(missing_ok=True)
        try:
            kept.hardlink_to(self.folder / LAST)
        except OSError:  # a file system without links
            shutil.copyfile(self.folder / LAST, kept)
        for old in sorted(self.folder.glob("update-*.ckpt"))[: -(self.config.checkpoints.keep + 1)]:
            old.unlink()


def recorded(config: TrainConfig) -> str:
    """Return the configuration as YAML without where it runs, which may change from one
    start to the next.
    """
    return to_yaml(here(config))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint. Raises FileNotFoundError, or WeightsError for a
    file that is none, or damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint")
    try:
        state = read_pickle(path)
    except WeightsError as error:
        earlier = sorted(path.parent.glob("update-*.ckpt"))
        advice = (
            f"; {earlier[-1].name} beside it is the one before: rename it to {path.name}"
            if earlier
            else ""
        )
        raise WeightsError(f"{error}{advice}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise WeightsError(f"{path}: no checkpoint of `neuromf train` in format {FORMAT}")
    wrong = [name for name, kind in HELD.items() if not isinstance(state.get(name), kind)]
    if wrong:
        raise WeightsError(
            f"{path}: a checkpoint of `neuromf train` holds more: {', '.join(wrong)}"
        )
    return state


def check_same_run(state: dict[str, Any], config: TrainConfig, origin: Origin) -> None:
    """Raise ConfigError or ValueError where a checkpoint is of another configuration, or
    of other latents.
    """
    refuse_other_config(state["config"], recorded(config), "the checkpoint")
    vae, advice = (
        origin.vae,
        "give the latents that the run began with, or choose another out=FOLDER",
    )
    if state["vae"] != asdict(vae):
        raise ValueError(
            f"the checkpoint was trained on latents of {state['vae']['name']} "
            f"({state['vae']['sha256'][:16]}), {config.latents} holds latents of {vae.name} "
            f"({vae.sha256[:16]}): {advice}"
        )
    if as_record(state["stats"], LatentStats, "the checkpoint") != origin.stats:
        before = state["stats"]
        raise ValueError(
            f"the checkpoint was trained on {before['latents']} latents of {before['subjects']} "
            f"people, {config.latents} has other statistics now ({origin.stats.latents} latents "
            f"of {origin.stats.subjects} people): {advice}; start=MODEL "
            "begins another training with these weights"
        )
    if state.get("latents", origin.latents) != origin.latents:  # earlier versions did not write it
        raise ValueError(
            f"{config.latents} holds other latents than the checkpoint was trained on: {advice}"
        )
