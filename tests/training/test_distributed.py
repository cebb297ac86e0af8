"""Which process this is, and that all hold the same weights."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from neuromf.training.distributed import SameWeights


@pytest.mark.parametrize("other", [0.0, 1.0])
def test_different_weights_after_an_update_end_the_run(other):
    gathered = lambda mine: torch.stack([mine, mine + other])
    trainer = SimpleNamespace(world_size=2, strategy=SimpleNamespace(all_gather=gathered))
    loop = SimpleNamespace(network=nn.Linear(2, 2))
    check = lambda number: SameWeights().on_train_batch_end(trainer, loop, None, None, number)
    check(1)  # the first update alone
    if other:
        with pytest.raises(RuntimeError, match="different weights after one update"):
            check(0)
    else:
        check(0)
