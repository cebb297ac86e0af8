"""Streams of random numbers, each determined by its purpose and by a few whole numbers."""

from __future__ import annotations

from enum import IntEnum, unique

import numpy as np
import torch


@unique
class Purpose(IntEnum):
    """What random numbers are for. It is the first word of a stream's seed, so that different
    purposes have different streams even with equal numbers.
    """

    ORDER = 1  # seed, epoch: in which order latents come
    TIMES = 2  # seed, update: t and r of the global batch
    NOISE = 3  # seed, update, part of the global batch
    AUGMENTATION = 4  # seed, epoch, latent
    SAMPLES = 5  # seed, number: the noise a sample starts from
    HELD_OUT = 6  # seed, batch: times and noise that held-out latents are evaluated with
    DIRECTIONS = 7  # seed: along which distances are taken
    BOOTSTRAP = 8  # seed, set: which volumes are in a resampled set; the reference is set 0
    SUBSETS = 9  # seed, what for, draw, set: which volumes a smaller set is of
    PAIRS = 10  # seed, set: which volumes are compared with each other
    VELOCITY = 11  # seed, latent: noise that the velocity on held-out latents is evaluated with
    BASELINES = 12  # seed, kind, number: what a sample of a closed-form model is drawn from
    SECANTS = 13  # seed, update, part: which points of a teacher's trajectories
    LESIONS = 14  # seed, phantom: where its simulated lesions lie, and what they look like
    CONDITIONS = 15  # seed, update, part: which samples lose their conditions, and guidance scales
    SEGMENTATION = 16  # seed, person left out: weights, patches and augmentation of a training
    MASK = 17  # seed, update, part: which voxels are left out of the loss
    POPULATION = 18  # seed, number: whose conditions a sample gets where nothing is asked
    HEADS = 19  # seed, stream, number: a head that a network learns to find the brain in


def generator(purpose: Purpose, *numbers: int) -> torch.Generator:
    """Return a generator on the CPU whose state depends on purpose
    and numbers (0 or more) alone.
    """
    return torch.Generator().manual_seed(_state(purpose, *numbers))


def numpy_generator(purpose: Purpose, *numbers: int) -> np.random.Generator:
    """Return NumPy's generator, whose state depends on purpose and numbers (0 or more) alone."""
    return np.random.default_rng(_state(purpose, *numbers))


def _state(purpose: Purpose, *numbers: int) -> int:
    return int(np.random.SeedSequence([int(purpose), *numbers]).generate_state(1, np.uint64)[0])
