"""A signal is answered after the update, and asked twice at once."""

import os
import signal

import pytest

from neuromf.runtime.run import Stopped
from neuromf.training import command
from neuromf.training.bar import Bar
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.saver import Saver
from training.support import tiny_config


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Stopped), (signal.SIGINT, KeyboardInterrupt)]
)
def test_a_signal_saves_and_stops(tmp_path, store, monkeypatch, number, error):
    before = Bar.on_train_batch_end

    def asked(self, trainer, loop, outputs, batches, index):
        before(self, trainer, loop, outputs, batches, index)
        if loop.state.update == 3:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Bar, "on_train_batch_end", asked)
    config = tiny_config(store, updates=6)
    with pytest.raises(error):
        command.run(config, tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    assert read_checkpoint(last)["state"]["update"] == 3


def test_asked_twice_it_ends_at_once(tmp_path):
    saver = Saver(tmp_path, None, 1, 0, "train", command.TrainConfig(), {})
    saver._ask(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        saver._ask(signal.SIGINT, None)
