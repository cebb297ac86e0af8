"""The dataset that training reads: normalised latents, with random augmentation if asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from neuromf.latents.shard import StoreError
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.runtime.randomness import Purpose, generator

KNOWN = ("age", "sex", "contrast", "site")  # what a network may be conditioned on


@dataclass(frozen=True)
class LatentAugmentation:
    """Random changes of normalised latents; all are off by default."""

    flip: bool = False  # swap left and right with probability 1/2; not every VAE commutes with it
    noise: float = 0.0  # Gaussian, in standard deviations of the channel; 0.05 is usual
    scale: float = 0.0  # factor drawn uniformly from 1 ± scale; 0.05 is usual

    def __post_init__(self) -> None:
        if not (0 <= self.noise < math.inf and 0 <= self.scale < 1):
            raise ValueError(f"noise {self.noise}, scale {self.scale}: not negative, scale below 1")

    @property
    def active(self) -> bool:
        """Whether anything is switched on."""
        return self.flip or self.noise > 0 or self.scale > 0

    def __call__(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Return a changed copy of a normalised latent (C, D, H, W), whose axis D is left-right; z
        itself if nothing is switched on.
        """
        if self.flip and torch.rand((), generator=generator) < 0.5:
            z = z.flip(1)
        if self.scale:
            z = z * (1 + self.scale * (2 * torch.rand((), generator=generator) - 1))
        if self.noise:
            z = z + self.noise * torch.randn(z.shape, generator=generator)
        return z


class Item(NamedTuple):
    """One latent of a dataset, and what the table of scans says about it."""

    latent: Tensor  # (C, D, H, W) float32, normalised
    place: int  # index in the store
    name: str
    known: dict[str, str]  # age, sex, contrast and site as the table of scans has them, or empty


class LatentDataset(Dataset[Item]):
    """The normalised latents of a split, in the order of the index.

    Augmentation depends on seed, epoch and index alone, not on workers or order. Raises StoreError
    for an empty split, statistics of another shape, or a latent with NaN.
    """

    def __init__(
        self,
        store: LatentStore,
        split: str = "train",
        stats: LatentStats | None = None,
        augmentation: LatentAugmentation = LatentAugmentation(),
        seed: int = 0,
    ) -> None:
        self.store, self.augmentation, self.seed, self.epoch = store, augmentation, seed, 0
        self.stats = stats or LatentStats.load(store.location)
        self.indices = store.split(split)
        if not self.indices:
            raise StoreError(f"{store.location} has no latent in the split {split!r}")
        if tuple(self.stats.shape) != store.shape:
            raise StoreError(
                f"statistics are of latents {self.stats.shape}, the store holds {store.shape}"
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> Item:
        """Return the latent at a position."""
        index = self.indices[position]
        latent = self.stats.normalise(self.store[index])
        if not torch.isfinite(latent).all():
            raise StoreError(
                f"latent {self.store.entries[index].name} holds NaN or Inf: encode it again"
            )
        if self.augmentation.active:
            chance = generator(Purpose.AUGMENTATION, self.seed, self.epoch, index)
            latent = self.augmentation(latent, chance)
        entry = self.store.entries[index]
        return Item(latent, index, entry.name, {key: getattr(entry, key) for key in KNOWN})
