"""Batches with everything chance decides, a pure function of the seed and the batch's number.

So a resumed run, whatever the number of loader processes, sees what an uninterrupted one
would have seen.
"""

from __future__ import annotations

import signal
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from neuromf.latents.dataset import LatentDataset
from neuromf.runtime.randomness import Purpose, generator
from neuromf.training.config import TrainConfig


class Batch(NamedTuple):
    """What a training step is a function of."""

    x: Tensor  # (B, C, D, H, W), normalised latents times config.scale
    noise: Tensor  # the same shape, standard normal
    t: Tensor  # (B,)
    r: Tensor  # (B,), r <= t


class Batches(Dataset[Batch]):
    """Batch number i of one rank; `accumulate` in a row make an update.

    The global batch of an update is ranks x accumulate x batch latents; every epoch sees
    each latent once, in an order of its own. Times are drawn for the global batch, so that
    their shares are exact over it.
    """

    def __init__(
        self, latents: LatentDataset, config: TrainConfig, rank: int = 0, ranks: int = 1
    ) -> None:
        self.latents, self.config, self.rank, self.ranks = latents, config, rank, ranks
        self._order: tuple[int, Tensor] = (-1, torch.zeros(0))

    def __len__(self) -> int:
        return self.config.updates * self.config.accumulate

    def __getitem__(self, number: int) -> Batch:
        """Return a batch."""
        c = self.config
        update, part = number // c.accumulate, number % c.accumulate * self.ranks + self.rank
        parts = self.ranks * c.accumulate
        t, r = c.times_at(update).draw(
            c.batch, generator(Purpose.TIMES, c.seed, update), part=part, parts=parts
        )
        first = (update * parts + part) * c.batch
        x = c.scale * torch.stack([self._latent(first + i) for i in range(c.batch)])
        noise = torch.randn(x.shape, generator=generator(Purpose.NOISE, c.seed, update, part))
        return Batch(x, noise, t, r)

    def _latent(self, place: int) -> Tensor:
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
        return self.latents[int(self._order[1][position])].latent


def loader(batches: Batches, start: int, pin: bool = False) -> DataLoader[Batch]:
    """Return the batches from number `start` on, read by config.loaders processes, in pinned
    memory if asked.
    """
    workers = batches.config.loaders
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(start, len(batches)),
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
        worker_init_fn=deaf if workers else None,
    )


def deaf(_: int) -> None:
    """Make a loader process ignore the signals that stop a run: a cluster
    sends them to every process.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
