"""A signal is answered after the update, and asked twice at once."""

import os
import signal

import pytest
import torch

from neuromf.runtime.run import Stopped
from neuromf.training import command
from neuromf.training.bar import Bar
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.saver import Saver, write_state
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


@pytest.mark.skipif(os.name == "nt", reason="there is no limit of a file's size")
def test_a_disk_that_takes_no_more_is_named_as_such(tmp_path):
    """torch.save alone says `unexpected pos 832 vs 726`."""
    import resource

    state = {"large": torch.zeros(100_000), "small": torch.zeros(10)}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_state(tmp_path / "last.ckpt", state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    write_state(tmp_path / "last.ckpt", state)
    found = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert all(torch.equal(v, found[k]) for k, v in state.items())


def test_another_error_of_writing_stays_what_it_is(tmp_path, monkeypatch):
    def broken(state, stream):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(RuntimeError, match="no such operator"):
        write_state(tmp_path / "last.ckpt", {})
