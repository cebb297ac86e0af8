"""Loaders: batches in order, and processes that outlive the signals that stop a run."""

import os
import signal

import pytest
import torch
from torch.utils.data import Dataset

from neuromf.runtime.signals import STOPPING
from neuromf.training.loading import noise_generator, numbered


class Numbers(Dataset):
    """Each update's number, and the process that read it."""

    def __getitem__(self, update):
        return update, os.getpid()


@pytest.mark.parametrize("workers", [0, 2])
def test_updates_come_in_order(workers):
    assert [number for number, _ in numbered(Numbers(), range(3, 9), workers)] == [*range(3, 9)]


@pytest.mark.skipif(os.name == "nt", reason="signals end a process at once")
def test_its_processes_leave_signals_to_the_training():
    found = iter(numbered(Numbers(), range(9), 1))
    first, reader = next(found)
    for number in STOPPING:
        os.kill(reader, signal.Signals(number))
    assert reader != os.getpid()
    assert [first, *(number for number, _ in found)] == [*range(9)]


def test_noise_is_that_of_earlier_versions_for_ordinary_seeds():
    for seed, update in ((0, 7), (3, 0), (20250131, 99_999), (12 * 10**12, 10**6)):
        before = torch.Generator().manual_seed(seed * 1_000_003 + update)
        found = noise_generator(seed, update)
        assert torch.equal(torch.randn(9, generator=found), torch.randn(9, generator=before))


def test_every_seed_that_a_configuration_takes_has_noise():
    seeds = (20250131235959, 20250201000000, 2**63 - 1)
    drawn = [torch.randn(9, generator=noise_generator(seed, 5)) for seed in seeds]
    assert len({tuple(noise.tolist()) for noise in drawn}) == 3
