"""Loaders: batches in order, and processes that outlive the signals that stop a run."""

import os
import signal

import pytest
from torch.utils.data import Dataset

from neuromf.runtime.signals import STOPPING
from neuromf.training.loading import numbered


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
