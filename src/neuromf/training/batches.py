"""Batches with all their random numbers, as a pure function of the seed and the batch's number.

A resumed run therefore sees what an uninterrupted one would have seen, whatever the number of
loader processes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from neuromf.flow import MeanFlow, Network, Terms
from neuromf.flow.guidance import guided_target
from neuromf.flow.network import Condition
from neuromf.flow.trajectory import draw_secants
from neuromf.latents.dataset import Item, LatentDataset
from neuromf.nets.variables import UNCONDITIONAL
from neuromf.runtime.randomness import Purpose, generator
from neuromf.training.conditions import Known, batch_conditions
from neuromf.training.config import TrainConfig
from neuromf.training.loading import numbered


@dataclass(frozen=True)
class Batch:
    """What a training step is a function of."""

    x: Tensor  # (B, C, D, H, W), normalised latents times latent_scale
    noise: Tensor  # the same shape, standard normal
    t: Tensor  # (B,)
    r: Tensor  # (B,), r <= t
    condition: Condition | None = None  # of each sample, by name
    null: Condition | None = None  # the same with nothing known, where guidance is trained
    # (2, pairs): first and last points of secants, on trajectories from the noise
    ends: Tensor | None = None
    mask: Tensor | None = None  # (B, 1, D, H, W), weights of voxels in the loss

    def to(self, device: torch.device, non_blocking: bool = False) -> Batch:
        """Return the batch on a device; Lightning calls it."""
        return self._each(lambda v: v.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """Return the batch in pinned memory; PyTorch's loader calls it."""
        return self._each(Tensor.pin_memory)

    def terms(self, objective: MeanFlow, network: Network, target: Tensor | None = None) -> Terms:
        """Return the objective's terms of a network on this batch, against a target velocity
        (B, C, D, H, W) if given.
        """
        at = (self.x, self.noise, self.t, self.r)
        tangent = None
        if self.condition is not None and self.null is not None and target is None:
            target, tangent = guided_target(objective, network, *at, self.condition, self.null)
        return objective.terms(network, *at, self.condition, target, tangent)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        x, noise, t, r = map(change, (self.x, self.noise, self.t, self.r))
        condition, null = (
            given and {k: change(v) for k, v in given.items()}
            for given in (self.condition, self.null)
        )
        ends, mask = (None if v is None else change(v) for v in (self.ends, self.mask))
        return Batch(x, noise, t, r, condition, null, ends, mask)


class Batches(Dataset[list[Batch]]):
    """Update number i of one process: `accumulate` batches.

    The global batch of an update is processes x accumulate x batch latents; every epoch sees each
    latent once, in an order of its own. Times are drawn for the global batch, so that their
    shares are exact over it.
    """

    def __init__(
        self,
        latents: LatentDataset,
        config: TrainConfig,
        rank: int = 0,
        ranks: int = 1,
        known: Known | None = None,
    ) -> None:
        self.latents, self.config, self.rank, self.ranks = latents, config, rank, ranks
        self.known = known or Known(UNCONDITIONAL, {})
        self._order: tuple[int, Tensor] = (-1, torch.zeros(0))

    def __len__(self) -> int:
        return self.config.updates

    def __getitem__(self, update: int) -> list[Batch]:
        """Return the batches of an update."""
        return [self.batch(update, number) for number in range(self.config.accumulate)]

    def batch(self, update: int, number: int) -> Batch:
        """Return one of an update's batches."""
        c = self.config
        part, parts = number * self.ranks + self.rank, self.ranks * c.accumulate
        drawn = generator(Purpose.TIMES, c.seed, update)
        t, r = c.times_at(update).draw(c.batch, drawn, part=part, parts=parts)
        first = (update * parts + part) * c.batch
        items = [self._item(first + i) for i in range(c.batch)]
        x = c.latent_scale * torch.stack([item.latent for item in items])
        noise = torch.randn(x.shape, generator=generator(Purpose.NOISE, c.seed, update, part))
        places = [item.place for item in items]
        condition, null = batch_conditions(self.known, places, c, update, part)
        ends, mask = self._ends(update, part), self._mask(x, update, part)
        return Batch(x, noise, t, r, condition, null, ends, mask)

    def _ends(self, update: int, part: int) -> Tensor | None:
        """Return the secants that a student of trajectories learns from."""
        c = self.config
        if not c.teacher or c.distillation.target != "trajectory":
            return None
        drawn = generator(Purpose.SECANTS, c.seed, update, part)
        return torch.stack(draw_secants(c.distillation.pairs, c.distillation.steps, drawn))

    def _mask(self, x: Tensor, update: int, part: int) -> Tensor | None:
        """Return 1 at voxels that count in the loss and 0 at others, the same in all channels."""
        share = self.config.masked_share
        if not share:
            return None
        drawn = generator(Purpose.MASK, self.config.seed, update, part)
        return (torch.rand(x[:, :1].shape, generator=drawn) >= share).to(x)

    def _item(self, place: int) -> Item:
        """Return the latent at a place in the endless sequence of epochs."""
        epoch, position = divmod(place, len(self.latents))
        if self._order[0] != epoch:
            self._order = (
                epoch,
                torch.randperm(
                    len(self.latents), generator=generator(Purpose.ORDER, self.config.seed, epoch)
                ),
            )
        self.latents.epoch = epoch
        return self.latents[int(self._order[1][position])]


def loader(batches: Batches, start: int, pin: bool = False) -> DataLoader[list[Batch]]:
    """Return the batches from update `start` on, read by `num_workers` processes, in pinned
    memory if asked.
    """
    updates = range(start, len(batches))
    return numbered(batches, updates, batches.config.num_workers, pin)
