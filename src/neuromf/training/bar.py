"""How far a training is: a progress bar, and how long it will take."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from rich.progress import Progress, TaskID

from neuromf.runtime.progress import clock, progress
from neuromf.training.loop import Loop

ESTIMATED = 10  # updates after which the whole time is told


class Bar(pl.Callback):
    """The progress bar of the first process."""

    def __init__(self, name: str = "train") -> None:
        self.name = name
        self.bar: Progress | None = None
        self.task = TaskID(0)
        self.first, self.started = 0, time.perf_counter()  # update and clock of this start

    def on_train_start(self, trainer: pl.Trainer, loop: Loop) -> None:
        if trainer.is_global_zero:
            self.bar = progress("updates")
            self.task = self.bar.add_task(
                self.name, total=loop.updates, completed=loop.state.update
            )
            self.bar.start()
        self.first, self.started = loop.state.update, time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        if self.bar is None:
            return
        self.bar.advance(self.task)
        state = loop.state
        if state.rows and state.rows[-1]["update"] == state.update and "raw" in state.rows[-1]:
            self.bar.update(self.task, description=f"raw loss {state.rows[-1]['raw']:.4f}")
        if state.update - self.first == ESTIMATED:
            each = (time.perf_counter() - self.started) / ESTIMATED
            left = loop.updates - state.update
            self.say(f"about {clock(each * left)} for {left} updates, {each:.2f} s each")

    def say(self, text: str) -> None:
        """Print a line above the progress bar, in the first process."""
        if self.bar is not None:
            self.bar.console.print(text, highlight=False, markup=False)

    def on_train_end(self, trainer: pl.Trainer, loop: pl.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, loop: pl.LightningModule, error: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
