"""What a run is doing, in numbers: log.csv, and where else it is logged."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytorch_lightning as pl
import torch
from PIL import Image

from neuromf.runtime.device import wait_for_gpu
from neuromf.runtime.tables import write_table
from neuromf.training.loop import Loop
from neuromf.training.state import Row
from neuromf.training.writers import Writer, writers

log = logging.getLogger("neuromf")


class Log(pl.Callback):
    """Writes one row of log.csv every so many updates: means over them and over all processes.

    `samples` is how many samples an update has in one process, `extra(update)` what else a row
    shows of an update, counted from 0, `project` one of Weights & Biases.
    """

    def __init__(
        self,
        out: Path,
        every: int,
        samples: int,
        extra: Callable[[int], Row] = lambda update: {},
        project: str = "",
    ) -> None:
        self.out, self.every, self.samples, self.extra = out, every, samples, extra
        self.project, self.writers = project, list[Writer]()
        self.waited = self.observed = 0.0  # seconds for batches, and in `pause`
        self.ended = self.began = time.perf_counter()  # of the last update, and of this row

    def on_train_start(self, trainer: pl.Trainer, loop: Loop) -> None:
        self.ended = self.began = time.perf_counter()
        if trainer.is_global_zero:
            self.writers = writers(self.out, loop.state.update, self.project)

    def on_train_batch_start(
        self, trainer: pl.Trainer, loop: Loop, batches: Any, number: int
    ) -> None:
        self.waited += time.perf_counter() - self.ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        state = loop.state
        state.sums = state.sums.to(outputs["sums"]) + outputs["sums"]
        state.norms.append(float(outputs["gradient_norm"]))
        if state.update in {1, loop.updates} or state.update % self.every == 0:
            self._add_row(trainer, loop, outputs["lr"])
        self.ended = time.perf_counter()

    def _add_row(self, trainer: pl.Trainer, loop: Loop, lr: float) -> None:
        state, seconds = loop.state, time.perf_counter() - self.began - self.observed
        sums = trainer.strategy.reduce(state.sums, reduce_op="sum").tolist()
        updates, clip = len(state.norms), loop.settings.clip

        row: Row = {"update": state.update, **loop.task.means(sums)}
        row |= {
            "gradient_norm": _mean([n for n in state.norms if math.isfinite(n)]),
            "clipped": _mean([float(n > clip) for n in state.norms]),
            "skipped": sum(not math.isfinite(n) for n in state.norms),
            "lr": lr,
            **self.extra(state.update - 1),
            "seconds_per_update": seconds / updates,
            "samples_per_second": updates * self.samples * trainer.world_size / seconds,
            "loader_share": self.waited / seconds,
            "memory_gb": memory_gb(loop.device),
        }

        state.rows.append(row)
        state.sums, state.norms = torch.zeros(()), []
        self.waited = self.observed = 0.0
        self.began = time.perf_counter()
        if trainer.is_global_zero:
            rows = [{k: _short(v) for k, v in r.items()} for r in state.rows]
            write_table(self.out / "log.csv", rows)
            self.scalars({f"train/{k}": v for k, v in row.items() if k != "update"}, state.update)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Exclude the time of the body from the seconds per update and from the time spent waiting
        for batches.
        """
        wait_for_gpu()
        started = time.perf_counter()
        yield
        wait_for_gpu()
        self.ended = time.perf_counter()
        self.observed += self.ended - started

    def scalars(self, values: Row, update: int) -> None:
        """Send numbers to where else a run is logged."""
        for name, value in values.items():
            if isinstance(value, int | float) and math.isfinite(value):
                for writer in self.writers:
                    writer.add_scalar(name, value, update)

    def picture(self, name: str, picture: Image.Image, update: int) -> None:
        """Send an image to where else a run is logged."""
        pixels = np.asarray(picture.convert("RGB"))
        for writer in self.writers:
            writer.add_image(name, pixels, update, dataformats="HWC")

    def on_train_end(self, trainer: pl.Trainer, loop: pl.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, loop: pl.LightningModule, error: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        for writer in self.writers:
            writer.close()
        self.writers = []


def memory_gb(device: torch.device) -> float:
    """Return the peak memory of an NVIDIA GPU; of Apple's, and without one, the memory that this
    process holds now; in GB.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    if device.type == "mps":
        return torch.mps.driver_allocated_memory() / 1e9
    return psutil.Process().memory_info().rss / 1e9


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
