"""Patches of prepared volumes, a pure function of the seed and the update's number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from neuromf.data.cohort import Entry
from neuromf.training.loading import noise_generator
from neuromf.training.vae_config import TrainVAEConfig


class PatchBatch(NamedTuple):
    """What an update of the VAE is a function of."""

    x: Tensor  # (B, 1, P, P, P) in [0, 1]
    noise: Tensor  # (B, channels, P/4, P/4, P/4), standard normal, for the posterior


class Patches(Dataset[list[PatchBatch]]):
    """Batch number i of patches (batch, 1, P, P, P), the same for the same seed in
    whatever order they are asked for.
    """

    def __init__(self, cohorts: Sequence[Sequence[Entry]], config: TrainVAEConfig) -> None:
        self.cohorts, self.config = cohorts, config

    def __len__(self) -> int:
        return self.config.updates

    def __getitem__(self, update: int) -> list[PatchBatch]:
        """Return the one batch of an update."""
        c = self.config
        rng = np.random.default_rng([c.seed, update])
        x = torch.stack([self._patch(rng) for _ in range(c.batch)])
        generator = noise_generator(c.seed, update)
        latent = (c.batch, c.network.channels, *(c.patch // 4 for _ in range(3)))
        return [PatchBatch(x, torch.randn(latent, generator=generator))]

    def _patch(self, rng: np.random.Generator) -> Tensor:
        """Return a patch (1, P, P, P) around a voxel of the brain, flipped and brightened
        at random.
        """
        cohort = self.cohorts[int(rng.integers(len(self.cohorts)))]
        voxels = cohort[int(rng.integers(len(cohort)))].read().voxels
        side = self.config.patch
        brain = np.flatnonzero(voxels)
        middle = np.unravel_index(rng.choice(brain) if len(brain) else 0, voxels.shape)
        starts = [
            int(np.clip(m - side // 2, 0, max(n - side, 0)))
            for m, n in zip(middle, voxels.shape, strict=True)
        ]
        patch = voxels[tuple(slice(s, s + side) for s in starts)]
        patch = np.pad(patch, [(0, side - n) for n in patch.shape])
        if rng.random() < 0.5:
            patch = patch[::-1]

        return torch.from_numpy(np.clip(patch * np.float32(rng.uniform(0.85, 1.1)), 0, 1).copy())[
            None
        ]
