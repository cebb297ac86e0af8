"""When a run is given up: updates without a gradient, samples left out, a loss that grows."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytorch_lightning as pl

from neuromf.training.config import Guard
from neuromf.training.loop import Loop
from neuromf.training.state import Row
from neuromf.training.watched import Watched

log = logging.getLogger("neuromf")
MOST_LEFT_OUT = 0.2  # share of samples of a row of the log


class DivergedError(ValueError):
    """A run that was given up."""


class DivergenceGuard(pl.Callback):
    """Raises DivergedError where a run is to be given up. It comes after the log."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard

    @classmethod
    def of(cls, run: Watched) -> list[DivergenceGuard]:
        """Return the guard of a run."""
        return [cls(run.config.guard)]

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        state = loop.state
        if state.skipped >= self.guard.skipped:
            raise DivergedError(
                f"the gradient was not finite in {state.skipped} updates in a row: lower "
                f"optimiser.lr ({loop.settings.lr}), take precision=float32, or look at the "
                "latents (neuromf inspect)"
            )
        if not state.rows or state.rows[-1]["update"] != state.update:
            return
        *earlier, last = state.rows
        if last["nonfinite_samples"] and not any(r["nonfinite_samples"] for r in earlier):
            log.warning(
                "update %d: samples with NaN or Inf were left out; log.csv counts them",
                state.update,
            )

        reason = why_to_give_up(state.rows, self.guard)
        if reason:
            raise DivergedError(reason)


def why_to_give_up(rows: list[Row], guard: Guard) -> str:
    """Return why a run with these rows of the log is to be given up, empty where it is not."""
    *earlier, last = rows
    if last["nonfinite_share"] > MOST_LEFT_OUT:
        return (
            f"{100 * last['nonfinite_share']:.0f} % of the samples up to update "
            f"{last['update']} gave NaN or Inf and were left out: take precision=float32, a "
            "lower optimiser.lr, or look at the latents (neuromf inspect)"
        )

    losses = [r["raw"] for r in earlier if math.isfinite(r["raw"])]
    if last["update"] <= guard.grace or not losses:
        return ""
    # A NaN comes of updates without a finite sample: those are counted above.
    if not last["raw"] > guard.factor * min(losses):
        return ""
    return (
        f"the raw loss is {last['raw']:.4g} at update {last['update']}, "
        f"{last['raw'] / min(losses):.1f} times its minimum of {min(losses):.4g}: the run "
        "diverged. Start another with a lower optimiser.lr or a longer optimiser.warmup; "
        "start=MODEL begins with weights that `neuromf export` took from an earlier checkpoint"
    )
