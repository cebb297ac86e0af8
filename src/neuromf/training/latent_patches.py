"""Patches of latents with the patches of the volumes they are of, a pure function of the seed and
the update's number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from neuromf.autoencoder.decoder import FACTOR
from neuromf.data.cohort import Entry
from neuromf.training.decoder_config import TrainDecoderConfig
from neuromf.training.loading import noise_generator

# Voxels at a patch's border that the loss leaves out, unless the volume ends there as well: the
# decoder pads with zeros where the whole latent has neighbours.
MARGIN = 4


class LatentVolume(NamedTuple):
    """A volume, and its latent (C, D/4, H/4, W/4)."""

    entry: Entry
    latent: Tensor


class DecoderBatch(NamedTuple):
    """What an update of a decoder is a function of."""

    z: Tensor  # (B, C, P/4, P/4, P/4), latents
    noise: Tensor  # as z: standard normal times each patch's level, 0 for patches without noise
    x: Tensor  # (B, 1, P, P, P) in [0, 1]
    inside: Tensor  # (B, 3, 2), first voxel and end of what the loss looks at, along each axis


class LatentPatches(Dataset[list[DecoderBatch]]):
    """Batch number i of patches, the same for the same seed in whatever order they are asked for.

    Latents are cut from those of whole volumes. Encoding a patch would give other latents at its
    border, and, with MAISI, everywhere: its group norm takes mean and variance over the volume.
    """

    def __init__(
        self, cohorts: Sequence[Sequence[LatentVolume]], config: TrainDecoderConfig
    ) -> None:
        self.cohorts, self.config = cohorts, config

    def __len__(self) -> int:
        return self.config.updates

    def __getitem__(self, update: int) -> list[DecoderBatch]:
        """Return the one batch of an update."""
        c = self.config
        rng = np.random.default_rng([c.seed, update])
        drawn = [self._patch(rng) for _ in range(c.batch)]
        z, x, inside = (torch.stack(part) for part in zip(*drawn, strict=True))

        levels = rng.uniform(0, c.latent_noise, c.batch) * (rng.random(c.batch) < c.noisy)
        generator = noise_generator(c.seed, update)
        noise = torch.randn(z.shape, generator=generator)
        noise = noise * torch.from_numpy(levels).float().view(-1, 1, 1, 1, 1)
        return [DecoderBatch(z, noise, x, inside)]

    def _patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Return latent, voxels and what the loss looks at of a patch around a voxel of the
        brain.
        """
        cohort = self.cohorts[int(rng.integers(len(self.cohorts)))]
        entry, latent = cohort[int(rng.integers(len(cohort)))]
        voxels = entry.read().voxels
        brain = np.flatnonzero(voxels)
        middle = np.unravel_index(rng.choice(brain) if len(brain) else 0, voxels.shape)

        side, sizes = self.config.patch // FACTOR, latent.shape[1:]
        starts = [
            int(np.clip(m // FACTOR - side // 2, 0, n - side))
            for m, n in zip(middle, sizes, strict=True)
        ]
        z = latent[(slice(None), *(slice(s, s + side) for s in starts))]
        x = voxels[tuple(slice(FACTOR * s, FACTOR * (s + side)) for s in starts)]
        inside = [
            (MARGIN * (s > 0), FACTOR * side - MARGIN * (s + side < n))
            for s, n in zip(starts, sizes, strict=True)
        ]
        return z, torch.from_numpy(np.ascontiguousarray(x))[None], torch.tensor(inside)
