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
from neuromf.generation.generator import noise_of
from neuromf.latents.dataset import LatentDataset
from neuromf.metrics.wasserstein import sliced_wasserstein
from neuromf.runtime.device import autocast
from neuromf.runtime.randomness import Purpose, generator
from neuromf.runtime.tables import write_table
from neuromf.training.batches import Batch
from neuromf.training.callback import Look
from neuromf.training.config import TrainConfig
from neuromf.training.decoded import DecodedJudge
from neuromf.training.log import Meter
from neuromf.training.loop import MeanFlowModule
from neuromf.training.previews import sample_in_parts
from neuromf.training.state import BEST, Saver

MOST = 256  # held-out latents looked at
SUMMARY = {"baseline": "at first", "best": "at best", "last": "at last"}


class EvaluationLook(Look):
    """One row of evaluation.csv a look. The weights with the smallest monitored
    distance are kept in best.ckpt.
    """

    what = "one-call samples against held-out latents, into evaluation.csv"

    def __init__(
        self,
        meter: Meter,
        out: Path,
        config: TrainConfig,
        held_out: LatentDataset,
        saver: Saver,
        epoch: int = 0,
        vae: FrozenVAE | None = None,
    ) -> None:
        super().__init__(meter)
        self.out, self.config, self.saver = out, config, saver
        self.every, self.epoch = config.evaluation.every, epoch  # updates of an epoch
        self.real = torch.stack([held_out[i].latent for i in range(min(len(held_out), MOST))])
        self.noise = torch.cat(
            [noise_of(self.real.shape[1:], i, config.seed) for i in range(config.evaluation.n)]
        )
        self.judge = (
            DecodedJudge(out, config, held_out.stats, vae, self.real) if vae is not None else None
        )

    def due(self, update: int) -> bool:
        """Say whether to look: every so often, at the end, and after the
        first epoch, for a baseline.
        """
        return super().due(update) or (self.every > 0 and update == self.epoch)

    def look(self, module: MeanFlowModule) -> None:
        """Measure, note, and keep the weights if they are the best so far."""
        before = min(
            (v for v in monitored(self.meter.looks, self.config) if math.isfinite(v)),
            default=math.inf,
        )
        samples = sample_in_parts(module, self.noise.to(module.device), 1).cpu()
        row = {
            "update": module.update,
            "swd": distance(samples, self.real, self.config),
            "raw": self._raw(module),
        }
        if self.judge is not None and self._decodes(module.update):
            row["fid"] = self.judge.fid(samples)
        self.meter.looks.append(row)
        write_table(self.out / "evaluation.csv", self.meter.looks)
        self.meter.scalars(
            {f"evaluation/{k}": v for k, v in row.items() if k != "update"}, module.update
        )
        if row.get(self.config.evaluation.monitor, math.inf) < before:
            self.saver.save(module, BEST)

    def after(self, trainer: pl.Trainer, module: MeanFlowModule) -> None:
        """Stop every process where the distance has not fallen for `patience` looks."""
        tired = trainer.is_global_zero and is_tired(self.meter.looks, self.config)
        if trainer.strategy.broadcast(tired):
            trainer.should_stop = True

    def _decodes(self, update: int) -> bool:
        every = self.config.evaluation.fid_every
        return every > 0 and (update % every == 0 or update in {self.epoch, self.config.updates})

    @torch.no_grad()
    def _raw(self, module: MeanFlowModule) -> float:
        """Return the raw loss of the averaged weights on held-out latents, with noise
        and times that never change.
        """
        objective, config = self.config.objective, self.config
        total, count = 0.0, 0
        for number, x in enumerate(self.real.split(config.batch)):
            chance = generator(Purpose.HELD_OUT, config.seed, number)
            t, r = config.times.draw(len(x), chance)
            noise = torch.randn(x.shape, generator=chance)
            batch = Batch(*(v.to(module.device) for v in (config.scale * x, noise, t, r)))
            with autocast(module.device, config.precision):
                loss = objective.loss(objective.terms(module.average, *batch))
            total, count = total + float(loss.raw) * len(x), count + len(x)
        return total / count


def distance(samples: Tensor, real: Tensor, config: TrainConfig) -> float:
    """Return the sliced Wasserstein distance of two sets of normalised latents, along
    directions that never change.
    """
    return sliced_wasserstein(
        samples, real, config.evaluation.projections, generator(Purpose.DIRECTIONS, config.seed)
    )


def monitored(looks: list[dict[str, float]], config: TrainConfig) -> list[float]:
    """Return the distances that best.ckpt and patience go by, one a look that took them."""
    return [row[config.evaluation.monitor] for row in looks if config.evaluation.monitor in row]


def is_tired(looks: list[dict[str, float]], config: TrainConfig) -> bool:
    """Say whether a run with these looks is to end early."""
    return out_of_patience(monitored(looks, config), config.evaluation.patience)


def summary(looks: list[dict[str, float]], config: TrainConfig) -> dict[str, Any]:
    """Return the first look (the baseline), the best and the last by the monitored
    distance; empty without looks.
    """
    name = config.evaluation.monitor
    rows = [row for row in looks if math.isfinite(row.get(name, math.nan))]
    if not rows:
        return {}
    best = min(rows, key=lambda row: row[name])
    return {
        "monitor": name,
        "looks": len(looks),
        "baseline": rows[0],
        "best": best,
        "last": rows[-1],
        "stopped_early": is_tired(looks, config),
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


def out_of_patience(distances: list[float], patience: int) -> bool:
    """Say whether the smallest distance is `patience` looks ago or
    longer; with patience 0 never.
    """
    if not patience or not distances:
        return False
    found = [d if math.isfinite(d) else math.inf for d in distances]
    return len(found) - 1 - found.index(min(found)) >= patience
