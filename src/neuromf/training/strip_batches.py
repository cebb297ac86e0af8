"""Batches of heads of random contrast, a pure function of label maps, seed and the update's
number.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from neuromf.data.reading import read_volume
from neuromf.data.volume import VolumeError
from neuromf.phantoms.heads import Labels, draw_head, read_labels
from neuromf.runtime.folders import local_path
from neuromf.runtime.randomness import Purpose, numpy_generator
from neuromf.training.strip_config import TrainSkullstripConfig

TRAINING, HELD_OUT = 0, 1  # streams of random numbers


class HeadBatch(NamedTuple):
    """What an update is a function of."""

    x: Tensor  # (B, 1, D, H, W), heads in [0, 1]
    distance: Tensor  # (B, 1, D, H, W), to the brain's surface, negative inside, in [-1, 1]


class HeadBatches(Dataset[list[HeadBatch]]):
    """Batch number i of heads."""

    def __init__(self, maps: Sequence[Labels], config: TrainSkullstripConfig) -> None:
        self.maps, self.config = maps, config

    def __len__(self) -> int:
        return self.config.updates

    def __getitem__(self, update: int) -> list[HeadBatch]:
        """Return the one batch of an update."""
        first = update * self.config.batch
        numbers = range(first, first + self.config.batch)
        return [heads(self.maps, TRAINING, numbers, self.config.seed)]


def heads(maps: Sequence[Labels], stream: int, numbers: Sequence[int], seed: int) -> HeadBatch:
    """Return heads by their numbers, each of a map that its own random numbers choose."""
    drawn = []
    for number in numbers:
        rng = numpy_generator(Purpose.HEADS, seed, stream, number)
        drawn.append(draw_head(maps[int(rng.integers(len(maps)))], rng))
    x, distance = (
        torch.from_numpy(np.stack(part)).float()[:, None] for part in zip(*drawn, strict=True)
    )
    return HeadBatch(x, distance)


def read_maps(config: TrainSkullstripConfig) -> tuple[list[Labels], list[Labels]]:
    """Return the maps to train on and those held out. Raises ValueError where there are too few,
    and VolumeError for a file that is no label map of a head.
    """
    if not config.labels:
        raise ValueError("labels= names no folder: one of whole-head label maps (NIfTI, MGZ)")
    folder = local_path(config.labels)
    if not folder.is_dir():
        raise ValueError(f"labels={folder}: no folder there")
    files = label_files(folder)
    if len(files) <= config.held_out:
        raise ValueError(
            f"{folder} holds {len(files)} label maps (.nii, .nii.gz, .mgz), held_out is "
            f"{config.held_out}: one more at least is needed"
        )
    maps = []
    for file in files:
        labels = read_volume(file)
        try:
            maps.append(read_labels(labels))
        except VolumeError as error:
            raise VolumeError(f"{file}: {error}") from None
    return maps[: -config.held_out], maps[-config.held_out :]


def label_files(folder: Path) -> list[Path]:
    """Return the images of a folder by name."""
    endings = (".nii", ".nii.gz", ".mgz")
    return sorted(f for f in folder.glob("*") if f.name.endswith(endings))
