"""Saving the state of a run: every so many updates, at the end, and when a signal asks to stop."""

from __future__ import annotations

import logging
import shutil
import signal
import threading
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytorch_lightning as pl
import torch

from neuromf.runtime.config import to_yaml
from neuromf.runtime.files import atomic
from neuromf.runtime.run import Stopped, provenance
from neuromf.runtime.signals import STOPPING
from neuromf.training.checkpoint import FORMAT, LAST
from neuromf.training.log import Log
from neuromf.training.loop import Loop

log = logging.getLogger("neuromf")


class Saver(pl.Callback):
    """Writes checkpoints into `folder`. The last `keep` ones also stay under their update's
    number; older ones are deleted. `about` is what a checkpoint says beside the loop's state.
    """

    def __init__(
        self,
        folder: Path,
        log: Log,
        every: int,
        keep: int,
        verb: str,
        config: Any,
        about: dict[str, Any],
    ) -> None:
        self.folder, self.run_log, self.every, self.keep = folder, log, every, keep
        self.about = {"format": FORMAT, "verb": verb, "config": to_yaml(config), **about}
        self.asked = 0  # the signal that asked for a stop
        self.stopped = False

    def on_train_start(self, trainer: pl.Trainer, loop: pl.LightningModule) -> None:
        """Listen to signals, from here on: Lightning sets its own before this and restores the
        earlier ones after the run.
        """
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING:
                signal.signal(number, self._ask)

    def _ask(self, number: int, _: Any) -> None:
        if self.asked == number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: at once
        self.asked = number
        log.info("%s: the run stops after this update", signal.Signals(number).name)

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        update = loop.state.update
        self.stopped = trainer.strategy.reduce_boolean_decision(bool(self.asked), all=False)
        over = update == loop.updates or trainer.should_stop
        if (self.stopped or over or update % self.every == 0) and trainer.is_global_zero:
            with self.run_log.pause():
                self.save(loop)
        if self.stopped:
            trainer.should_stop = True

    def save(self, loop: Loop, name: str = LAST) -> None:
        """Write a checkpoint, whole or not at all."""
        self.folder.mkdir(exist_ok=True)
        state = loop.checkpoint() | self.about | {"provenance": provenance()}
        with atomic(self.folder / name) as path:
            write_state(path, state)
        if name == LAST and self.keep:
            self._keep(loop.state.update)

    def _keep(self, update: int) -> None:
        kept = self.folder / f"update-{update:08d}.ckpt"
        kept.unlink(missing_ok=True)
        try:
            kept.hardlink_to(self.folder / LAST)
        except OSError:  # a file system without links
            shutil.copyfile(self.folder / LAST, kept)
        for old in sorted(self.folder.glob("update-*.ckpt"))[: -(self.keep + 1)]:
            old.unlink()

    def raise_if_stopped(self, loop: Loop) -> None:
        """Raise Stopped, or KeyboardInterrupt, where a signal ended the run before its end."""
        if self.stopped and loop.state.update < loop.updates:
            if self.asked == signal.SIGINT:
                raise KeyboardInterrupt
            raise Stopped(
                f"stopped after update {loop.state.update} of {loop.updates}, all saved: "
                "--resume continues"
            )


class Stream:
    """A file that keeps the error of the disk: torch.save goes on after it, and ends with a
    RuntimeError of its own that names positions in the file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, content: bytes | memoryview) -> int:
        """Write, and keep what goes wrong."""
        try:
            return self.file.write(content)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Write what waits to be written."""
        self.file.flush()


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint's content. Raises OSError where the disk is full."""
    with path.open("wb") as file:
        stream = Stream(file)
        try:
            torch.save(state, cast(BinaryIO, stream))
        except RuntimeError as error:
            if stream.error is None:
                raise
            raise stream.error from error
