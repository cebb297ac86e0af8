"""Several processes that train one network."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
import torch

from neuromf.runtime.device import float64
from neuromf.training.loop import Loop
from neuromf.training.watched import Watched

log = logging.getLogger("neuromf")


class SameWeights(pl.Callback):
    """Raises RuntimeError after the first update of a start where the processes hold different
    weights: gradients were not shared, or the start was not the same.
    """

    @classmethod
    def of(cls, run: Watched) -> list[SameWeights]:
        """Return the check."""
        return [cls()]

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        if trainer.world_size == 1 or number > 0:
            return
        mine = torch.stack([float64(p.detach()).sum() for p in loop.network.parameters()]).sum()
        others = trainer.strategy.all_gather(mine)
        if others.min() != others.max():
            raise RuntimeError(
                f"the processes hold different weights after one update: {others.tolist()}"
            )
