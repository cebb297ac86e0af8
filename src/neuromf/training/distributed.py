"""Several processes that train one network."""

from __future__ import annotations

import os
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

from neuromf.training.loop import Loop


def rank() -> int:
    """Return the number of this process among those that train together, before they are
    connected.
    """
    slurm = SLURMEnvironment.detect()
    names = ("RANK", "SLURM_PROCID") if slurm else ("RANK", "LOCAL_RANK", "NODE_RANK")
    found = [int(os.environ[name]) for name in names if name in os.environ]
    return found[0] if "RANK" in os.environ else max(found, default=0)


class SameWeights(pl.Callback):
    """Raises RuntimeError after the first update of a start where the processes hold different
    weights: gradients were not shared, or the start was not the same.
    """

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        if trainer.world_size == 1 or number > 0:
            return
        mine = torch.stack([p.detach().double().sum() for p in loop.network.parameters()]).sum()
        others = trainer.strategy.all_gather(mine)
        if others.min() != others.max():
            raise RuntimeError(
                f"the processes hold different weights after one update: {others.tolist()}"
            )
