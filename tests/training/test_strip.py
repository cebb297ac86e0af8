"""`neuromf train-skullstrip`, whole, on label maps of balls."""

import csv

import pytest
import torch

from neuromf.data.brain_network import BrainNetworkConfig
from neuromf.data.skullstrip import StripConfig, find_brain
from neuromf.data.volume import Volume
from neuromf.phantoms.heads import SHAPE
from neuromf.pretrained.statedict import read_state
from neuromf.training import strip_task
from neuromf.training.strip import run
from neuromf.training.strip_config import TrainSkullstripConfig
from phantoms.support import labelled_head
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


@pytest.mark.slow
def test_it_learns_balls(config, tmp_path):
    """After some hundred updates the brain of a head it has not seen is found, and prepare uses
    it.
    """
    from dataclasses import replace

    own = replace(config, updates=150, check_every=150, lr=1e-2, network=BrainNetworkConfig())
    assert run(own, tmp_path / "net")["dice"] > 0.8
    labels = labelled_head()
    head = Volume((labels.voxels != 0) * 50 + (labels.voxels % 40 == 2) * 50.0, labels.affine)
    method = StripConfig(method="network", weights=str(tmp_path / "net"))
    assert find_brain(head, method).brain.sum() > 0.5 * (labels.voxels < 50).sum() / SHAPE[0]
