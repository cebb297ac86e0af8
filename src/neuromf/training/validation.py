"""Held-out latents against the run: raw loss of the averaged weights, distance of
one-call samples, early stopping.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.latents.dataset import LatentDataset
from neuromf.metrics.wasserstein import sliced_wasserstein
from neuromf.runtime.device import autocast
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.tables import write_table
from neuromf.training.bar import Bar
from neuromf.training.batches import Batch
from neuromf.training.callback import PeriodicCallback
from neuromf.training.checkpoint import BEST
from neuromf.training.config import Evaluation, TrainConfig
from neuromf.training.decoded_fid import DecodedFid
from neuromf.training.log import Log
from neuromf.training.loop import Loop
from neuromf.training.previews import Sampler, fixed_noise
from neuromf.training.ranks import note, rank
from neuromf.training.saver import Saver
from neuromf.training.state import Row
from neuromf.training.watched import Watched

MOST = 256  # held-out latents looked at
SUMMARY = {"baseline": "at first", "best": "at best", "last": "at last"}


class Validation(PeriodicCallback):
    """Writes one row of evaluation.csv a time. The weights with the smallest monitored distance
    are kept in best.ckpt; where it has not fallen for `patience` rows, the run ends.
    """

    what = "one-call samples against held-out latents, into evaluation.csv"

    def __init__(
        self,
        log: Log,
        bar: Bar,
        out: Path,
        config: TrainConfig,
        held_out: LatentDataset,
        saver: Saver,
        epoch: int = 0,
        vae: FrozenVAE | None = None,
    ) -> None:
        super().__init__(log, bar, config.evaluation.every, config.updates)
        self.out, self.config, self.saver, self.epoch = out, config, saver, epoch
        real = [held_out[i].latent for i in range(min(len(held_out), MOST))]
        self.real = torch.stack(real)
        self.noise = fixed_noise(self.real.shape[1:], config.evaluation.n, config.seed)
        self.fid = DecodedFid(out, config, held_out.stats, vae, self.real) if vae else None

    @classmethod
    def of(cls, run: Watched) -> list[Validation]:
        """Return the validation of a run; none if never asked for, or without held-out latents.
        Raises ValueError where samples are to be decoded and the VAE is not at hand.
        """
        config, held_out = run.config, run.data.held_out
        if not config.evaluation.every:
            return []
        if held_out is None:
            note(
                f"{config.latents} holds no latent in the split 'val': nothing is evaluated in "
                "training"
            )
            return []

        decodes = config.evaluation.fid_every > 0
        if decodes and run.vae is None and rank() == 0:
            raise ValueError(
                "evaluation.fid_every needs the VAE of the latents, to decode them: set vae="
            )

        vae = run.vae if decodes else None
        return [cls(run.log, run.bar, run.out, config, held_out, run.saver, run.epoch, vae)]

    def due(self, update: int) -> bool:
        """Return True every so often, at the end, and after the first epoch, for a baseline."""
        return super().due(update) or (self.every > 0 and update == self.epoch)

    def observe(self, loop: Loop) -> None:
        """Measure, write, and keep the weights if they are the best so far."""
        state, settings = loop.state, self.config.evaluation
        earlier = [v for v in monitored(state.evaluations, settings) if math.isfinite(v)]
        noise = self.noise.to(loop.device)
        samples = Sampler.of(self.config).draw(loop.average, noise, 1).cpu()

        row = {
            "update": state.update,
            "swd": distance(samples, self.real, settings, self.config.seed),
            "raw": self._raw(loop),
        }
        if self.fid is not None and self._decodes(state.update):
            row["fid"] = self.fid.fid(samples)

        state.evaluations.append(row)
        write_table(self.out / "evaluation.csv", state.evaluations)
        values = {f"evaluation/{k}": v for k, v in row.items() if k != "update"}
        self.run_log.scalars(values, state.update)
        if row.get(settings.monitor, math.inf) < min(earlier, default=math.inf):
            self.saver.save(loop, BEST)

    def after(self, trainer: pl.Trainer, loop: Loop) -> None:
        """Stop every process where the distance has not fallen for `patience` rows."""
        settings = self.config.evaluation
        over = trainer.is_global_zero and out_of_patience(loop.state.evaluations, settings)
        if trainer.strategy.broadcast(over):
            trainer.should_stop = True

    def _decodes(self, update: int) -> bool:
        every = self.config.evaluation.fid_every
        return every > 0 and (update % every == 0 or update in {self.epoch, self.updates})

    @torch.no_grad()
    def _raw(self, loop: Loop) -> float:
        """Return the raw loss of the averaged weights on held-out latents, with noise and times
        that never change.
        """
        config, objective = self.config, self.config.objective
        total, count = 0.0, 0
        for number, x in enumerate(self.real.split(config.batch)):
            drawn = generator(Purpose.HELD_OUT, config.seed, number)
            t, r = config.times.draw(len(x), drawn)
            noise = torch.randn(x.shape, generator=drawn)
            batch = Batch(config.latent_scale * x, noise, t, r).to(loop.device)

            with autocast(loop.device, config.precision):
                terms = batch.terms(objective, loop.average)
                raw = objective.loss(terms).raw
            total, count = total + float(raw) * len(x), count + len(x)
        return total / count


def distance(samples: Tensor, real: Tensor, settings: Evaluation, seed: int) -> float:
    """Return the sliced Wasserstein distance of two sets of normalised latents, along directions
    that never change.
    """
    directions = generator(Purpose.DIRECTIONS, seed)
    return sliced_wasserstein(samples, real, settings.projections, directions)


def monitored(rows: list[Row], settings: Evaluation) -> list[float]:
    """Return the distances that best.ckpt and patience go by, of the rows that have them."""
    return [row[settings.monitor] for row in rows if settings.monitor in row]


def out_of_patience(rows: list[Row], settings: Evaluation) -> bool:
    """Return True if the smallest distance is `patience` rows ago or longer; with patience 0
    never.
    """
    distances = monitored(rows, settings)
    if not settings.patience or not distances:
        return False
    found = [d if math.isfinite(d) else math.inf for d in distances]
    return len(found) - 1 - found.index(min(found)) >= settings.patience


def summary(rows: list[Row], settings: Evaluation) -> dict[str, Any]:
    """Return the first row (the baseline), the best and the last by the monitored distance; empty
    without rows.
    """
    name = settings.monitor
    finite = [row for row in rows if math.isfinite(row.get(name, math.nan))]
    if not finite:
        return {}

    return {
        "monitor": name,
        "looks": len(rows),
        "baseline": finite[0],
        "best": min(finite, key=lambda row: row[name]),
        "last": finite[-1],
        "stopped_early": out_of_patience(rows, settings),
    }


def sentence(found: dict[str, Any]) -> str:
    """Return a summary in words."""
    name = found["monitor"]
    parts = [
        f"{found[k][name]:.4g} {text} (update {found[k]['update']})" for k, text in SUMMARY.items()
    ]
    return (
        f"{name} to held-out latents: "
        f"{', '.join(parts)}{'; stopped early' if found['stopped_early'] else ''}"
    )
