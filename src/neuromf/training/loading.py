"""Loaders of numbered batches, and the processes that read for them."""

from __future__ import annotations

import signal
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from neuromf.runtime.signals import STOPPING

T = TypeVar("T")


def numbered(
    batches: Dataset[T], updates: range, num_workers: int, pin: bool = False
) -> DataLoader[T]:
    """Return the batches of some updates in order, read by processes that leave signals to the
    training, in pinned memory if asked.
    """
    return DataLoader(
        batches,
        batch_size=None,
        sampler=updates,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=pin,
        worker_init_fn=ignore_signals if num_workers else None,
    )


def ignore_signals(_: int) -> None:
    """Make a loader process ignore the signals that stop a run: a cluster
    sends them to every process.
    """
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def noise_generator(seed: int, update: int) -> torch.Generator:
    """Return the generator of an update's noise. The streams are those of version 0.1, so that its
    runs resume; torch takes 64 bits, which large seeds, such as a date and time, would exceed.
    """
    return torch.Generator().manual_seed((seed * 1_000_003 + update) % 2**64)
