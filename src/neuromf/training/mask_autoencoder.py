"""`neuromf train-mask-autoencoder`: train a light autoencoder for lesion masks on random shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.autoencoder.mask_autoencoder import (
    FACTOR,
    load_mask_autoencoder,
    new_mask_autoencoder,
    save_mask_autoencoder,
)
from neuromf.runtime.device import pick_device
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import write_table
from neuromf.training.bar import Bar
from neuromf.training.callback import PeriodicCallback
from neuromf.training.checkpoint import LAST, check_updates, read_checkpoint
from neuromf.training.export import name_of
from neuromf.training.loading import numbered
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.mask_batches import MaskBatches, held_out_shapes
from neuromf.training.mask_config import TrainMaskAutoencoderConfig
from neuromf.training.mask_task import MaskTask
from neuromf.training.saver import Saver

VERB = "train-mask-autoencoder"
OUTPUT = Output(
    VERB,
    (
        *("model.safetensors", "config.json", "README.md", "log.csv", "evaluation.csv"),
        *("checkpoints/*.ckpt", "scores.json"),
    ),
    loose=("tensorboard/**",),
)


def run(
    config: TrainMaskAutoencoderConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, float]:
    """Train into `out` (model.safetensors, config.json, README.md, log.csv, evaluation.csv,
    checkpoints/) and return the scores of held-out shapes.

    A signal (SIGTERM, SIGUSR1, Ctrl-C) saves and ends the run. Raises ValueError or WeightsError
    for settings or checkpoints that do not fit.
    """
    config = replace(config, name=config.name or name_of(out))
    device = pick_device(config.device)
    last = out / "checkpoints" / LAST
    if resume:
        check_updates(last, config.updates, VERB)
    with open_run(out, config, OUTPUT, (), resume=resume, overwrite=overwrite):
        loop = new_loop(config)
        if resume and last.is_file():
            loop.resume(read_checkpoint(last, VERB), str(last))
        if loop.state.update < config.updates:
            train(loop, config, device, out)

        scores = {k: v for k, v in loop.state.evaluations[-1].items() if k != "update"}
        write_json(out / "scores.json", scores)
        parameters = sum(p.numel() for p in loop.network.parameters())
        write_text(out / "README.md", card(config, scores, parameters))
    return scores


def new_loop(config: TrainMaskAutoencoderConfig) -> Loop:
    """Return the loop that trains a new mask autoencoder of the configuration's seed."""
    task = MaskTask(new_mask_autoencoder(config.network, config.seed), config)
    return Loop(task, config.optimiser, config.updates, (config.ema,), config.precision)


def train(loop: Loop, config: TrainMaskAutoencoderConfig, device: torch.device, out: Path) -> None:
    """Train to the last update. Raises Stopped, or KeyboardInterrupt, where a signal asked for
    it.
    """
    log, bar = Log(out, config.log_every, config.batch), Bar(VERB)
    folder = out / "checkpoints"
    saver = Saver(folder, log, config.check_every, 0, VERB, config, {})
    looks = HeldOutShapes(log, bar, out, config)

    left = range(loop.state.update, config.updates)
    batches = numbered(MaskBatches(config), left, config.num_workers)
    fit(loop, lambda rank, processes: batches, Hardware(device), [log, bar, looks, saver])
    saver.raise_if_stopped(loop)


class HeldOutShapes(PeriodicCallback):
    """Writes the averaged weights, and one row of evaluation.csv: the Dice coefficient of shapes
    that were not trained on.
    """

    what = "held-out shapes, into evaluation.csv"

    def __init__(self, log: Log, bar: Bar, out: Path, config: TrainMaskAutoencoderConfig) -> None:
        super().__init__(log, bar, config.check_every, config.updates)
        self.out, self.config = out, config

    def observe(self, loop: Loop) -> None:
        """Write, measure, and say."""
        average: Any = loop.average
        save_mask_autoencoder(self.out, average, self.config.network, self.config.name)
        vae = load_mask_autoencoder(self.out, self.config.name, loop.device)

        found = scores(vae, held_out_shapes(self.config), self.config.latent_noise)
        loop.state.evaluations.append({"update": loop.state.update, **found})
        write_table(self.out / "evaluation.csv", loop.state.evaluations)
        self.bar.say(", ".join(f"{k} {v:.4g}" for k, v in found.items()))


def scores(vae: FrozenVAE, masks: Tensor, latent_noise: float) -> dict[str, float]:
    """Return the Dice coefficients of masks (N, 1, P, P, P) that went through the autoencoder, mean
    and tenth percentile, and their mean with noise on the latents.
    """
    z = torch.cat([vae.encode(x[None]).cpu() for x in masks])
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    plain, noisy = (_dices(vae, to, masks) for to in (z, z + latent_noise * noise))
    return {
        "dice": round(float(plain.mean()), 4),
        "dice_p10": round(float(plain.quantile(0.1)), 4),
        "dice_noisy": round(float(noisy.mean()), 4),
    }


def _dices(vae: FrozenVAE, z: Tensor, masks: Tensor) -> Tensor:
    """Return the Dice coefficients (N,) of masks and what their latents decode to, one by one: all
    at once would need more memory than a batch.
    """
    found = torch.cat([vae.decode(one[None]).cpu() >= 0.5 for one in z])
    shared, sizes = (v.flatten(1).sum(1) for v in (found * masks, found + masks))
    return 2 * shared / sizes


def card(config: TrainMaskAutoencoderConfig, scores: dict[str, float], parameters: int) -> str:
    """Return the model card."""
    lines = [
        f"# {config.name}",
        "",
        f"An autoencoder for lesion masks at 2 mm: {parameters:,} parameters, "
        f"{config.network.channels} latent channels between -1 and 1, factor {FACTOR} per axis. "
        "The latent of an empty mask is 0.",
        "",
        f"Trained for {config.updates} updates of {config.batch} crops of {config.patch}³ voxels, "
        f"seed {config.seed}, on random shapes alone (blobs, sheets, specks and groups of them, "
        f"0.01 to 60 ml), with noise of standard deviation {config.latent_noise:g} on the latents. "
        "It has seen no mask of a person.",
        "",
        "Shapes that were not trained on: " + ", ".join(f"{k} {v:g}" for k, v in scores.items()),
        "",
        "For research; not for clinical use.",
        "",
    ]
    return "\n".join(lines)
