"""Looks at a run, every so many updates, by the first process: samples, diagnostics, evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl

from neuromf.training.log import Meter
from neuromf.training.loop import MeanFlowModule


class Look(pl.Callback, ABC):
    """Calls `look` after every `every` updates and after the last; its time is not counted
    as training.
    """

    what = ""  # said when it begins
    every = 0  # never
    at_end = False  # look also where the run stops early

    def __init__(self, meter: Meter) -> None:
        self.meter = meter

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: MeanFlowModule, outputs: Any, batch: Any, number: int
    ) -> None:
        ends_early = trainer.should_stop and self.at_end
        if module.ends_update(number) and (self.due(module.update) or ends_early):
            with self.meter.pause():
                if trainer.is_global_zero:
                    self.meter.say(f"update {module.update}: {self.what}")
                    self.look(module)
                self.after(trainer, module)

    def due(self, update: int) -> bool:
        """Say whether an update is one to look at."""
        return self.every > 0 and (update % self.every == 0 or update == self.meter.config.updates)

    @abstractmethod
    def look(self, module: MeanFlowModule) -> None:
        """Look, in the first process."""

    def after(self, trainer: pl.Trainer, module: MeanFlowModule) -> None:
        """Act on what was seen, in every process."""
