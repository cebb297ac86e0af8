"""`neuromf train-skullstrip`, whole, on label maps of balls."""

import csv
from dataclasses import replace

import pytest
import torch

from neuromf.data.brain_network import BrainNetworkConfig
from neuromf.pretrained.statedict import read_state
from neuromf.runtime.config import ConfigError
from neuromf.training import strip_task
from neuromf.training.strip import run
from neuromf.training.strip_config import TrainSkullstripConfig
from training.support import stopped_by_sigterm
from training.test_strip_batches import write_maps


@pytest.fixture
def config(tmp_path):
    return TrainSkullstripConfig(
        labels=str(write_maps(tmp_path / "maps", 2)), held_out=1, batch=1, updates=6, warmup=1,
        network=BrainNetworkConfig((4, 4, 4, 4)), check_every=3, check_heads=2, log_every=1,
        device="cpu",
    )  # fmt: skip


def rows(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_a_signal_to_all_processes_saves(config, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped_by_sigterm(monkeypatch, lambda: run(replace(config, num_workers=1), out))
    assert (out / "checkpoints" / "last.ckpt").is_file()


def test_resume_is_exact(config, tmp_path, monkeypatch):
    whole = run(config, tmp_path / "whole")
    out, loss, done = tmp_path / "parts", strip_task.StripTask.loss, []

    def interrupted(self, batch):
        done.append(1)
        if len(done) > 4:
            raise KeyboardInterrupt
        return loss(self, batch)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(strip_task.StripTask, "loss", interrupted)
        run(config, out)
    assert run(config, out, resume=True) == whole
    one, two = (read_state(f / "model.safetensors") for f in (out, tmp_path / "whole"))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert [int(row["update"]) for row in rows(out / "evaluation.csv")] == [3, 6]
    assert "6 updates of 1 heads" in (out / "README.md").read_text()


def test_no_fewer_updates_than_are_done(config, tmp_path, monkeypatch):
    out, config = tmp_path / "run", replace(config, check_every=50, num_workers=1)
    stopped_by_sigterm(monkeypatch, lambda: run(config, out))  # before its first look
    with pytest.raises(ConfigError, match=r"updates=1, .* update 2 already"):
        run(replace(config, updates=1), out, resume=True)
    assert set(run(replace(config, updates=3), out, resume=True)) >= {"dice"}
