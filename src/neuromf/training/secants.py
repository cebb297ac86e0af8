"""What a student of trajectories trains on: average velocities between points that its teacher
passes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neuromf.flow import MeanFlow
from neuromf.flow.network import repeat_condition
from neuromf.flow.trajectory import regression_terms, secants
from neuromf.training.batches import Batch
from neuromf.training.distillation import TeachingFlow
from neuromf.training.meanflow import MeanFlowTask, means, sums_of
from neuromf.training.state import Row


class SecantTask:
    """Regression on secants of a teacher's trajectories (CMT, arXiv 2509.24526).

    A batch gives the noise that trajectories start from, and the ends of the secants; its data
    play no part. What the log counts as a sample is one secant.
    """

    advice = MeanFlowTask.advice

    def __init__(
        self,
        network: nn.Module,
        objective: MeanFlow,
        teacher: TeachingFlow,
        steps: int,
        compiled: bool = False,
    ) -> None:
        self.network, self.objective = network, objective
        self.teacher, self.steps = teacher, steps
        self._called = torch.compile(network) if compiled else network

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and sums over its secants."""
        assert batch.ends is not None  # as Batches draws them where trajectories are learned
        points = self.teacher.trajectory(batch.noise, self.steps, batch.condition)
        z, t, r, target = secants(points, *batch.ends)
        condition = repeat_condition(batch.condition, batch.ends.shape[1])
        terms = regression_terms(self.objective, self._called, z, t, r, target, condition)
        loss = self.objective.loss(terms)
        return loss.total, sums_of(loss, t == r)

    def means(self, sums: Sequence[float]) -> Row:
        """Return the means over secants."""
        return means(sums)
