"""Held-out latents against the run: raw loss of the averaged weights, distance of one-call samples, early stopping."""

from __future__ import annotations

import math
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor

from neuromf.chance import Purpose, generator
from neuromf.data.scans import write_table
from neuromf.device import autocast
from neuromf.generate.generator import noise_of
from neuromf.latents.dataset import LatentDataset
from neuromf.metrics.distances import sliced_wasserstein
from neuromf.training.batches import Batch
from neuromf.training.checkpoint import BEST, Saver
from neuromf.training.config import TrainConfig
from neuromf.training.looks import Look
from neuromf.training.meter import Meter
from neuromf.training.module import MeanFlowModule
from neuromf.training.samples import sample_in_parts

MOST = 256  # held-out latents looked at


class EvaluationLook(Look):
    """One row of evaluation.csv a look. The weights with the smallest distance are kept in best.ckpt."""

    def __init__(self, meter: Meter, out: Path, config: TrainConfig, held_out: LatentDataset, saver: Saver) -> None:
        super().__init__(meter)
        self.out, self.config, self.saver = out, config, saver
        self.every = config.evaluation.every
        self.real = torch.stack([held_out[i].latent for i in range(min(len(held_out), MOST))])
        self.noise = torch.cat([noise_of(self.real.shape[1:], i, config.seed) for i in range(config.evaluation.n)])

    def look(self, module: MeanFlowModule) -> None:
        """Measure, note, and keep the weights if they are the best so far."""
        before = min((row["swd"] for row in self.meter.looks if math.isfinite(row["swd"])), default=math.inf)
        swd = distance(sample_in_parts(module, self.noise.to(module.device), 1).cpu(), self.real, self.config)
        row = {"update": module.update, "swd": swd, "raw": self._raw(module)}
        self.meter.looks.append(row)
        write_table(self.out / "evaluation.csv", self.meter.looks)
        self.meter.scalars({f"evaluation/{k}": v for k, v in row.items() if k != "update"}, module.update)
        if swd < before:
            self.saver.save(module, BEST)

    def after(self, trainer: pl.Trainer, module: MeanFlowModule) -> None:
        """Stop every process where the distance has not fallen for `patience` looks."""
        tired = trainer.is_global_zero and out_of_patience(
            [r["swd"] for r in self.meter.looks], self.config.evaluation.patience
        )
        if trainer.strategy.broadcast(tired):
            trainer.should_stop = True

    @torch.no_grad()
    def _raw(self, module: MeanFlowModule) -> float:
        """Return the raw loss of the averaged weights on held-out latents, with noise and times that never change."""
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
    """Return the sliced Wasserstein distance of two sets of normalised latents, along directions that never change."""
    return sliced_wasserstein(samples, real, config.evaluation.projections, generator(Purpose.DIRECTIONS, config.seed))


def out_of_patience(distances: list[float], patience: int) -> bool:
    """Say whether the smallest distance is `patience` looks ago or longer; with patience 0 never."""
    if not patience or not distances:
        return False
    found = [d if math.isfinite(d) else math.inf for d in distances]
    return len(found) - 1 - found.index(min(found)) >= patience
