import csv
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.pretrained.statedict import read_state
from neuromf.training.vae import Patches, TrainVAEConfig, rate_factor, run
from support import TINY_VAE


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
    from neuromf.training import vae as train

    step = train.Training.step

    def interrupted(self, x, update):
        if update == updates:
            raise KeyboardInterrupt
        step(self, x, update)

    train.Training.step = interrupted
    try:
        work()
    finally:
        train.Training.step = step


def test_learning_rate():
    config = TrainVAEConfig(updates=110, warmup=10)
    assert [rate_factor(u, config) for u in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert rate_factor(60, config) == pytest.approx((1 + 0.01) / 2)
    assert rate_factor(109, config) == pytest.approx(0.01, abs=1e-3)
    assert rate_factor(3, TrainVAEConfig(updates=4, warmup=10)) == pytest.approx(
        0.4
    )  # a run shorter than its warm-up


def test_patches_depend_on_seed_and_number_alone(config, cohort):
    training = [[e for e in read_cohort(cohort) if e.split == "train"]]
    patches = Patches(training, config)
    assert patches[3].shape == (2, 1, 16, 16, 16)
    assert torch.equal(patches[3], Patches(training, replace(config, updates=99))[3])
    assert not torch.equal(patches[3], patches[4])
    assert not torch.equal(patches[3], Patches(training, replace(config, seed=1))[3])
    assert all((patches[i] > 0).any() for i in range(5))
    large = Patches(training, replace(config, patch=48))[0]  # larger than the volumes: zeros around
    assert large.shape == (2, 1, 48, 48, 48)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 18}, "multiple of 4"),
        ({"updates": 0}, "updates is 0"),
        ({"lr": 0.0}, "lr above 0"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        TrainVAEConfig(**change)


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
