"""Held-out volumes and their reconstructions, during a training of VAEs and decoders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor

from neuromf.metrics.similarity import psnr, ssim
from neuromf.metrics.spectrum import high_frequency_ratio
from neuromf.runtime.tables import write_table
from neuromf.training.bar import Bar
from neuromf.training.callback import PeriodicCallback
from neuromf.training.log import Log
from neuromf.training.loop import Loop

# Of a loop: held-out volumes (D, H, W) and what its averaged weights, once written, make of them.
Reconstructions = Callable[[Loop], Iterable[tuple[Tensor, Tensor]]]
SCORES = ("ssim", "psnr", "ssim_brain", "psnr_brain", "hf_ratio")


class HeldOut(PeriodicCallback):
    """Writes the averaged weights, and one row of evaluation.csv: how well they reconstruct
    held-out volumes.
    """

    what = "held-out volumes, into evaluation.csv"

    def __init__(
        self,
        log: Log,
        bar: Bar,
        out: Path,
        every: int,
        updates: int,
        reconstructions: Reconstructions,
    ) -> None:
        super().__init__(log, bar, every, updates)
        self.out, self.reconstructions = out, reconstructions

    def observe(self, loop: Loop) -> None:
        """Write, measure, and say."""
        found = mean_scores(self.reconstructions(loop))
        loop.state.evaluations.append({"update": loop.state.update, **found})
        write_table(self.out / "evaluation.csv", loop.state.evaluations)
        if found:
            self.bar.say(", ".join(f"{k} {v:.4g}" for k, v in found.items()))


def mean_scores(pairs: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Return means over pairs of a volume (D, H, W) and its reconstruction: SSIM and PSNR, of the
    brain too, and high-frequency energy over the volume's; nothing where there is no pair.
    """
    scores = []
    for x, decoded in pairs:
        y, brain = decoded.clamp(0, 1), x > 0
        similar = (ssim(x, y), psnr(x, y), ssim(x, y, brain), psnr(x, y, brain))
        scores.append((*similar, high_frequency_ratio(y, x)))

    if not scores:
        return {}
    columns = zip(*scores, strict=True)
    return {k: round(sum(c) / len(c), 4) for k, c in zip(SCORES, columns, strict=True)}
