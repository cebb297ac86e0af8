"""What `neuromf train-skullstrip` trains: each voxel's distance to the brain's surface."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neuromf.runtime.device import float64
from neuromf.training.strip_batches import HeadBatch

NEAR = 0.5  # of the farthest distance: errors below it are what a mask shows
NEAR_WEIGHT = 4.0


class StripTask:
    """Regression on the distance, cut off on both sides (SynthStrip, Hoopes 2022), with more weight
    near the surface.
    """

    advice = "a smaller batch"

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def loss(self, batch: HeadBatch) -> tuple[Tensor, Tensor]:
        """Return the loss of a batch, and sums: the error, the Dice coefficient, 1."""
        found = self.network(batch.x).float()
        weight = 1 + (NEAR_WEIGHT - 1) * (batch.distance.abs() < NEAR)
        # where the target is cut off, any value beyond it is right
        error = found.clamp(-1.5, 1.5) - batch.distance
        beyond = (batch.distance.abs() >= 1) & (found * batch.distance.sign() >= 1)
        error = torch.where(beyond, torch.zeros_like(error), error)
        loss = (weight * error.square()).mean()
        sums = [loss.detach(), dice(found.detach(), batch.distance), torch.ones(())]
        return loss, float64(torch.stack([s.to(loss.device) for s in sums]))

    def means(self, sums: Sequence[float]) -> dict[str, float]:
        """Return the means over batches."""
        error, overlap, count = sums
        return {"error": error / count, "dice": overlap / count}


def dice(found: Tensor, distance: Tensor) -> Tensor:
    """Return the Dice coefficient of the insides (B, 1, D, H, W) of two distances, mean over heads;
    1 where both are empty.
    """
    a, b = found < 0, distance < 0
    shared, sizes = (v.flatten(1).sum(1).float() for v in (a & b, a.int() + b.int()))
    return torch.where(sizes > 0, 2 * shared / sizes.clamp(min=1), torch.ones_like(sizes)).mean()
