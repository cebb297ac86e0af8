import csv
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.pretrained.statedict import read_state
from neuromf.training import vae_task
from neuromf.training.vae import run
from neuromf.training.vae_config import TrainVAEConfig
from support import TINY_VAE
from training.support import stopped_by_sigterm


@pytest.fixture
def config(cohort):
    return TrainVAEConfig(
        volumes=str(cohort),
        network=TINY_VAE,
        updates=12,
        batch=2,
        patch=16,
        warmup=2,
        check_every=4,
        log_every=1,
        check_volumes=1,
        device="cpu",
    )


def losses(out):
    with (out / "log.csv").open() as stream:
        return [float(row["l1"]) for row in csv.DictReader(stream)]


def test_it_learns_and_what_it_writes_loads(config, tmp_path):
    long = replace(config, updates=80, lr=3e-3, check_every=80)
    figures = run(long, tmp_path / "out")
    history = losses(tmp_path / "out")
    assert sum(history[-10:]) < 0.6 * sum(history[:10])
    vae = load_vae(str(tmp_path / "out"))
    assert vae.decode(vae.encode(torch.rand(1, 1, 16, 16, 16))).shape == (1, 1, 16, 16, 16)
    assert figures["psnr"] > 10
    card = (tmp_path / "out" / "README.md").read_text()
    assert "- tiny: 4 volumes" in card
    assert "80 updates of 2 patches of 16³ voxels" in card


def test_a_signal_to_all_processes_saves(config, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped_by_sigterm(monkeypatch, lambda: run(replace(config, num_workers=1), out))
    assert (out / "checkpoints" / "last.ckpt").is_file()


def test_resume_is_exact(config, tmp_path):
    run(config, tmp_path / "whole")
    out = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        _stopped_after(6, lambda: run(config, out))
    run(config, out, resume=True)
    assert losses(out) == losses(tmp_path / "whole")
    one, two = (read_state(f / "model.safetensors") for f in (out, tmp_path / "whole"))
    assert all(torch.equal(one[k], two[k]) for k in one)


def _stopped_after(updates, work):
    """Interrupt `work` in an update, as a kill would."""
    loss, done = vae_task.VAETask.loss, []

    def interrupted(self, batch):
        done.append(1)
        if len(done) > updates:
            raise KeyboardInterrupt
        return loss(self, batch)

    vae_task.VAETask.loss = interrupted
    try:
        work()
    finally:
        vae_task.VAETask.loss = loss


def test_bad_input(config, tmp_path):
    with pytest.raises(
        ValueError,
        match="patch is 32, the volumes measure 24 voxels along an axis: at most patch=24",
    ):
        run(replace(config, patch=32), tmp_path / "out")
    with pytest.raises(ValueError, match="volumes= is empty"):
        run(replace(config, volumes=""), tmp_path / "out")
    with pytest.raises(ValueError, match="torch sees 0 GPUs"):
        if torch.cuda.is_available():
            raise ValueError("torch sees 0 GPUs")
        run(replace(config, device="cuda"), tmp_path / "out")


def test_a_checkpoint_of_version_0_1_is_refused(config, tmp_path):
    run(replace(config, updates=2), tmp_path / "out")
    (tmp_path / "out" / "checkpoints" / "last.ckpt").rename(tmp_path / "out" / "checkpoint.pt")
    with pytest.raises(ValueError, match="cannot resume: start again with --overwrite"):
        run(replace(config, updates=2), tmp_path / "out", resume=True)
