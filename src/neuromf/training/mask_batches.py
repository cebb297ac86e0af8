"""Batches of random shapes, a pure function of the seed and the update's number."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from neuromf.autoencoder.mask_autoencoder import FACTOR
from neuromf.training.loading import noise_generator
from neuromf.training.mask_config import TrainMaskAutoencoderConfig
from neuromf.training.mask_shapes import draw_mask

TRAINING, HELD_OUT = 0, 1  # streams of random numbers


class MaskBatch(NamedTuple):
    """What an update of a mask autoencoder is a function of."""

    x: Tensor  # (B, 1, P, P, P) of 0 and 1
    noise: Tensor  # (B, channels, P/4, P/4, P/4), standard normal, for the latents


class MaskBatches(Dataset[list[MaskBatch]]):
    """Batch number i of random shapes, the same for the same seed in whatever order they are asked
    for.
    """

    def __init__(self, config: TrainMaskAutoencoderConfig) -> None:
        self.config = config

    def __len__(self) -> int:
        return self.config.updates

    def __getitem__(self, update: int) -> list[MaskBatch]:
        """Return the one batch of an update."""
        c = self.config
        x = shapes(c.patch, c.batch, np.random.default_rng((c.seed, TRAINING, update)))
        generator = noise_generator(c.seed, update)
        latent = (c.batch, c.network.channels, *(c.patch // FACTOR for _ in range(3)))
        return [MaskBatch(x, torch.randn(latent, generator=generator))]


def held_out_shapes(config: TrainMaskAutoencoderConfig) -> Tensor:
    """Return masks (N, 1, P, P, P) that no batch holds, none of them empty."""
    rng = np.random.default_rng((config.seed, HELD_OUT))
    while True:  # of a few masks, all may be empty
        x = shapes(config.patch, config.check_masks, rng)
        kept = x[x.flatten(1).any(1)]
        if len(kept):
            return kept


def shapes(side: int, n: int, rng: np.random.Generator) -> Tensor:
    """Return n masks (n, 1, side, side, side) of random shapes."""
    return torch.from_numpy(np.stack([draw_mask(rng, side) for _ in range(n)])).float()[:, None]
