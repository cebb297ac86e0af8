"""What `neuromf train` trains: a network with the MeanFlow objective on latents."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neuromf.flow import Loss, MeanFlow
from neuromf.flow.path import point_on_path
from neuromf.runtime.device import float64
from neuromf.training.batches import Batch
from neuromf.training.distillation import TeachingFlow
from neuromf.training.state import Row


class MeanFlowTask:
    """The objective on batches of latents; the log shows raw losses over all samples, those with
    r = t and those with r < t, and how many were left out.
    """

    advice = (
        "a smaller batch with a larger accumulate, network.checkpointing=true, "
        "precision=bfloat16, or a smaller network"
    )

    def __init__(
        self,
        network: nn.Module,
        objective: MeanFlow,
        compiled: bool = False,
        teacher: TeachingFlow | None = None,
    ) -> None:
        self.network, self.objective, self.teacher = network, objective, teacher
        self._called = torch.compile(network) if compiled else network

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and sums over its samples."""
        target = None if self.teacher is None else taught(self.teacher, batch)
        terms = batch.terms(self.objective, self._called, target)
        loss = self.objective.loss(terms, batch.mask)
        return loss.total, sums_of(loss, batch.t == batch.r)

    def means(self, sums: Sequence[float]) -> Row:
        """Return the means over samples; NaN over none."""
        return means(sums)


def taught(teacher: TeachingFlow, batch: Batch) -> Tensor:
    """Return the teacher's velocity at the points of a batch."""
    z = point_on_path(batch.x, batch.noise, batch.t)
    return teacher.velocity(z, batch.t, condition=batch.condition)


@torch.no_grad()
def sums_of(loss: Loss, equal: Tensor) -> Tensor:
    """Return sums and counts that add up over batches and processes: of all samples, of those
    with r = t, which `equal` (B,) marks, and with r < t, the head's; samples left out; squared
    errors per channel.
    """
    finite = loss.weight > 0
    head = torch.zeros_like(loss.raw) if loss.raw_head is None else loss.raw_head * finite.sum()
    kinds = [finite, finite & equal, finite & ~equal]
    numbers = [v for kind in kinds for v in ((loss.samples * kind).sum(), kind.sum())]
    numbers += [head, loss.nonfinite, (loss.weight * loss.samples).sum()]
    together = torch.stack([v.to(loss.samples) for v in numbers])  # one transfer, if any
    return float64(torch.cat([together, loss.channels * finite.sum()]))


def means(sums: Sequence[float]) -> Row:
    """Return the means of what `sums_of` summed; NaN over no sample."""
    raw, n, equal, n_equal, interval, n_interval, head, left_out, weighted, *channels = sums
    row: Row = {
        "raw": _ratio(raw, n),
        "raw_equal": _ratio(equal, n_equal),
        "raw_interval": _ratio(interval, n_interval),
        "raw_head": _ratio(head, n),
        "weighted": _ratio(weighted, n),
        "nonfinite_samples": int(left_out),
        "nonfinite_share": _ratio(left_out, n + left_out),
    }
    return row | {f"raw_channel_{c}": _ratio(value, n) for c, value in enumerate(channels)}


def _ratio(value: float, count: float) -> float:
    return value / count if count else math.nan
