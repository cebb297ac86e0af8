import csv
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.mask_autoencoder import MaskAutoencoderConfig
from neuromf.autoencoder.mask_codes import load_mask_code
from neuromf.pretrained.statedict import read_state
from neuromf.runtime.config import ConfigError
from neuromf.training import mask_task
from neuromf.training.mask_autoencoder import run
from neuromf.training.mask_config import TrainMaskAutoencoderConfig
from training.support import stopped_by_sigterm


@pytest.fixture
def config():
    return TrainMaskAutoencoderConfig(
        network=MaskAutoencoderConfig(channels=2, width=8, decoder_blocks=1),
        updates=12,
        batch=2,
        patch=16,
        warmup=2,
        check_every=4,
        check_masks=4,
        log_every=1,
        device="cpu",
    )


def rows(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_it_learns_and_writes_a_code(config, tmp_path, vae_folder):
    scores = run(replace(config, updates=60, lr=1e-2, check_every=60), tmp_path / "masks")
    dice = [float(row["dice"]) for row in rows(tmp_path / "masks" / "log.csv")]
    assert sum(dice[-10:]) > 1.3 * sum(dice[:10])
    assert set(scores) == {"dice", "dice_p10", "dice_noisy"}

    name = str(tmp_path / "masks")
    code = load_mask_code(name, load_vae(str(vae_folder)))
    assert (code.name, code.channels) == (name, 2)
    assert "60 updates" in (tmp_path / "masks" / "README.md").read_text()


def test_the_current_folder_has_its_name(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(replace(config, updates=1), Path())
    assert Path("README.md").read_text().startswith(f"# {tmp_path.name}\n")


def test_a_signal_to_all_processes_saves(config, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped_by_sigterm(monkeypatch, lambda: run(replace(config, num_workers=1), out))
    assert (out / "checkpoints" / "last.ckpt").is_file()


def test_resume_is_exact(config, tmp_path, monkeypatch):
    whole = run(config, tmp_path / "whole")
    out = tmp_path / "parts"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(mask_task.MaskTask, "loss", interrupted_after(6))
        run(config, out)
    assert run(config, out, resume=True) == whole

    one, two = (read_state(f / "model.safetensors") for f in (out, tmp_path / "whole"))
    assert all(torch.equal(one[k], two[k]) for k in one)
    looks = [rows(f / "evaluation.csv") for f in (out, tmp_path / "whole")]
    assert looks[0] == looks[1]
    assert [int(row["update"]) for row in looks[0]] == [4, 8, 12]


def test_no_fewer_updates_than_are_done(config, tmp_path, monkeypatch):
    out, config = tmp_path / "run", replace(config, check_every=50, num_workers=1)
    stopped_by_sigterm(monkeypatch, lambda: run(config, out))  # before its first look
    for updates in (1, 2):
        with pytest.raises(
            ConfigError, match=rf"updates={updates}, .* update 2 already.* updates=3"
        ):
            run(replace(config, updates=updates), out, resume=True)
    assert set(run(replace(config, updates=3), out, resume=True)) >= {"dice"}
    before = (out / "run.json").read_text()
    with pytest.raises(ConfigError, match="update 3 already"):
        run(replace(config, updates=2), out, resume=True)
    assert (out / "run.json").read_text() == before  # it is finished still
    run(replace(config, updates=3), out, resume=True)


def interrupted_after(updates):
    """A loss that ends the run in an update, as a kill would."""
    loss, done = mask_task.MaskTask.loss, []

    def interrupted(self, batch):
        done.append(1)
        if len(done) > updates:
            raise KeyboardInterrupt
        return loss(self, batch)

    return interrupted
