"""The state of a run is a plain value that a file gives back."""

import torch

from neuromf.training.state import TrainState


def test_what_is_recorded_comes_back():
    sums = torch.tensor([1.0, 2.5], dtype=torch.float64)
    state = TrainState(7, 1, [{"update": 5, "raw": 0.5}], [{"update": 5, "swd": 2.0}], sums, [0.1])
    record = state.record()
    assert record["sums"] == [1.0, 2.5]
    back = TrainState.read(record)
    assert back.record() == record
    assert TrainState.read(record, first=False).sums.item() == 0.0  # the first process saved them
