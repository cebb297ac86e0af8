"""A callback with a period: previews, diagnostics, validation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl

from neuromf.training.bar import Bar
from neuromf.training.log import Log
from neuromf.training.loop import Loop


class PeriodicCallback(pl.Callback, ABC):
    """Calls `observe` in the first process after every `every` updates and after the last; its
    time is not counted as training.
    """

    what = ""  # said when it begins
    at_end = False  # also where the run stops early

    def __init__(self, log: Log, bar: Bar, every: int, updates: int) -> None:
        # Lightning sets `log` of every callback to a function of its own.
        self.run_log, self.bar, self.every, self.updates = log, bar, every, updates

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        update = loop.state.update
        if self.due(update) or (trainer.should_stop and self.at_end):
            with self.run_log.pause():
                if trainer.is_global_zero:
                    self.bar.say(f"update {update}: {self.what}")
                    self.observe(loop)
                self.after(trainer, loop)

    def due(self, update: int) -> bool:
        """Return True if something is to be observed after an update; `every` 0 is never."""
        return self.every > 0 and (update % self.every == 0 or update == self.updates)

    @abstractmethod
    def observe(self, loop: Loop) -> None:
        """Look at the run, in the first process."""

    def after(self, trainer: pl.Trainer, loop: Loop) -> None:
        """Act on what was seen, in every process."""
