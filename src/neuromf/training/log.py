"""What a run is doing, in numbers: log.csv, TensorBoard, the progress bar, and
the guard against divergence.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytorch_lightning as pl
import torch
from rich.progress import Progress, TaskID
from torch import Tensor

from neuromf.flow import Loss
from neuromf.runtime.device import wait_for_gpu
from neuromf.runtime.progress import clock, progress
from neuromf.runtime.tables import write_table
from neuromf.training.batches import Batch
from neuromf.training.config import Guard, TrainConfig
from neuromf.training.loop import MeanFlowModule

log = logging.getLogger("neuromf")
Row = dict[str, Any]
ESTIMATED = 10  # updates after which the whole time is told
MOST_LEFT_OUT = 0.2  # share of rows in a window


class DivergedError(ValueError):
    """A run that was given up."""


class Meter(pl.Callback):
    """Means over `log_every` updates and all ranks, one row of log.csv each; `looks`
    holds what other callbacks saw.
    """

    def __init__(self, out: Path, config: TrainConfig) -> None:
        self.out, self.config = out, config
        self.rows: list[Row] = []
        self.looks: list[Row] = []
        self.sums = torch.zeros(())  # since the last row, of this process
        self.norms: list[float] = []
        self.waited = self.observed = 0.0
        self.ended = self.began = time.perf_counter()
        self.first, self.started = 0, self.began  # update and clock of this start
        self.writer: Any = None
        self.bar: Progress | None = None
        self.task = TaskID(0)

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs to go on with the same rows."""
        return {
            "rows": self.rows,
            "looks": self.looks,
            "sums": self.sums.tolist(),
            "norms": self.norms,
        }

    def load(self, state: dict[str, Any], first: bool = True) -> None:
        """Take what `state` returned; the sums are of the first process, which saved them."""
        self.rows, self.looks, self.norms = state["rows"], state["looks"], state["norms"]
        self.sums = torch.tensor(state["sums"] if first else 0.0, dtype=torch.float64)

    def on_train_start(self, trainer: pl.Trainer, module: MeanFlowModule) -> None:
        self.ended = self.began = time.perf_counter()
        if trainer.is_global_zero:
            self.writer = _tensorboard(self.out, module.update)
            self.bar = progress("updates")
            self.task = self.bar.add_task(
                "train", total=self.config.updates, completed=module.update
            )
            self.bar.start()
        self.first, self.started = module.update, time.perf_counter()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: MeanFlowModule, batch: Batch, number: int
    ) -> None:
        self.waited += time.perf_counter() - self.ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: MeanFlowModule, outputs: Any, batch: Batch, number: int
    ) -> None:
        assert module.loss is not None
        sums = partial_sums(module.loss, batch)
        self.sums = self.sums.to(sums) + sums
        if module.ends_update(number):
            self.norms.append(float(module.gradient_norm))
            if self.bar is not None:
                self.bar.advance(self.task)
            if module.skipped >= self.config.guard.skipped:
                raise DivergedError(
                    f"the gradient was not finite in {module.skipped} updates in a row: lower "
                    f"optimiser.lr ({self.config.optimiser.lr}), take precision=float32, or look "
                    "at the latents (neuromf inspect)"
                )
            if (
                module.update in {1, self.config.updates}
                or module.update % self.config.log_every == 0
            ):
                self._log(trainer, module)
            if module.update - self.first == ESTIMATED:
                self._estimate(module)
        self.ended = time.perf_counter()

    def _log(self, trainer: pl.Trainer, module: MeanFlowModule) -> None:
        seconds = time.perf_counter() - self.began - self.observed
        updates, config = len(self.norms), self.config
        sums = trainer.strategy.reduce(self.sums, reduce_op="sum").tolist()
        latents = config.batch * config.accumulate * trainer.world_size
        times = config.times_at(module.update - 1)
        row: Row = {"update": module.update, **means(sums)}
        row |= {
            "gradient_norm": _mean([n for n in self.norms if math.isfinite(n)]),
            "clipped": _mean([float(n > config.optimiser.clip) for n in self.norms]),
            "skipped": sum(not math.isfinite(n) for n in self.norms),
            "lr": config.optimiser.rate(module.update - 1, config.updates),
            "equal_fraction": times.equal_fraction,
            "seconds_per_update": seconds / updates,
            "latents_per_second": updates * latents / seconds,
            "loader_share": self.waited / seconds,
            "memory_gb": peak_memory_gb(module.device),
        }
        self.rows.append(row)
        self.sums, self.norms, self.waited, self.observed = torch.zeros(()), [], 0.0, 0.0
        self.began = time.perf_counter()
        if trainer.is_global_zero:
            write_table(
                self.out / "log.csv", [{k: _short(v) for k, v in r.items()} for r in self.rows]
            )
            self.scalars({f"train/{k}": v for k, v in row.items() if k != "update"}, module.update)
            assert self.bar is not None
            self.bar.update(self.task, description=f"raw loss {row['raw']:.4f}")
        if row["nonfinite_rows"] and not any(r["nonfinite_rows"] for r in self.rows[:-1]):
            log.warning(
                "update %d: rows with NaN or Inf were left out; log.csv counts them", module.update
            )
        reason = judge(self.rows, config.guard)
        if reason:
            raise DivergedError(reason)

    def _estimate(self, module: MeanFlowModule) -> None:
        """Say how long the run will take, from its first updates."""
        each = (time.perf_counter() - self.started) / ESTIMATED
        left = each * (self.config.updates - module.update)
        self.say(
            f"about {clock(left)} for "
            f"{self.config.updates - module.update} updates, {each:.2f} s each"
        )

    def say(self, text: str) -> None:
        """Print a line above the progress bar, in the first process."""
        if self.bar is not None:
            self.bar.console.print(text, highlight=False, markup=False)

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave what the body takes out of the seconds an update, and out of the
        time spent waiting for batches.
        """
        wait_for_gpu()
        started = time.perf_counter()
        yield
        wait_for_gpu()
        self.ended = time.perf_counter()
        self.observed += self.ended - started

    def scalars(self, values: Row, update: int) -> None:
        """Send numbers to TensorBoard, where it is installed."""
        if self.writer is not None:
            for name, value in values.items():
                if isinstance(value, int | float) and math.isfinite(value):
                    self.writer.add_scalar(name, value, update)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._close()

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, error: BaseException
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
        if self.writer is not None:
            self.writer.close()


@torch.no_grad()
def partial_sums(loss: Loss, batch: Batch) -> Tensor:
    """Return sums and counts that add up over batches and ranks: of all rows, those with r = t,
    those with r < t, the head's; rows left out; the squared errors a channel.
    """
    finite, equal = loss.weight > 0, batch.t == batch.r
    head = torch.zeros_like(loss.raw) if loss.raw_head is None else loss.raw_head * finite.sum()
    kinds = [finite, finite & equal, finite & ~equal]
    numbers = [v for kind in kinds for v in ((loss.rows * kind).sum(), kind.sum())]
    numbers += [head, loss.nonfinite, (loss.weight * loss.rows).sum()]
    return torch.cat(
        [torch.stack([v.double() for v in numbers]), (loss.channels * finite.sum()).double()]
    )


def means(sums: list[float]) -> Row:
    """Return the means that `partial_sums` are of; NaN over no rows."""
    rows, n, equal, n_equal, interval, n_interval, head, left_out, weighted, *channels = sums
    row: Row = {
        "raw": _ratio(rows, n),
        "raw_equal": _ratio(equal, n_equal),
        "raw_interval": _ratio(interval, n_interval),
    }
    row |= {
        "raw_head": _ratio(head, n),
        "weighted": _ratio(weighted, n),
        "nonfinite_rows": int(left_out),
    }
    row["nonfinite_share"] = _ratio(left_out, n + left_out)
    return row | {f"raw_channel_{c}": _ratio(value, n) for c, value in enumerate(channels)}


def judge(rows: list[Row], guard: Guard) -> str:
    """Return why a run is to be given up, empty where it is not: rows left out,
    raw loss far above its minimum.
    """
    if rows[-1]["nonfinite_share"] > MOST_LEFT_OUT:
        return (
            f"{100 * rows[-1]['nonfinite_share']:.0f} % of the rows up to update "
            f"{rows[-1]['update']} gave NaN or Inf and were left out: take precision=float32, a "
            "lower optimiser.lr, or look at the latents (neuromf inspect)"
        )
    earlier = [r["raw"] for r in rows[:-1] if math.isfinite(r["raw"])]
    last = rows[-1]
    if last["update"] <= guard.grace or not earlier:
        return ""
    if not last["raw"] > guard.factor * min(
        earlier
    ):  # NaN, of no finite row, is the gradient's to judge
        return ""
    return (
        f"the raw loss is {last['raw']:.4g} at update {last['update']}, "
        f"{last['raw'] / min(earlier):.1f} times its minimum of {min(earlier):.4g}: the run "
        "diverged. Start another with a lower optimiser.lr or a longer optimiser.warmup; "
        "start=MODEL begins with weights that `neuromf export` took from an earlier checkpoint"
    )


def peak_memory_gb(device: torch.device) -> float:
    """Return the peak memory of the GPU, or the memory this process holds now, in GB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e9
    return psutil.Process().memory_info().rss / 1e9


def _ratio(value: float, count: float) -> float:
    return value / count if count else math.nan


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _tensorboard(out: Path, update: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info(
            "tensorboard is not installed (pip install "
            "'neuromf[log]'): log.csv holds the same numbers"
        )
        return None
    return SummaryWriter(str(out / "tensorboard"), purge_step=update + 1)
