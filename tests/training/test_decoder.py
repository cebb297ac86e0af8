import csv
import shutil
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.small import save_small
from neuromf.pretrained.statedict import WeightsError, read_state
from neuromf.training import decoder_task
from neuromf.training.decoder import run
from neuromf.training.decoder_config import TrainDecoderConfig
from support import TINY_DECODER, TINY_VAE, tiny_cohort, tiny_vae, tiny_vae_network
from training.support import stopped_by_sigterm


@pytest.fixture
def config(cohort, vae_folder):
    return TrainDecoderConfig(
        vae=str(vae_folder),
        volumes=str(cohort),
        network=TINY_DECODER,
        updates=12,
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


def test_it_learns_and_what_it_writes_decodes(config, vae_folder, tmp_path):
    long = replace(config, updates=80, lr=5e-3, check_every=80)
    scores = run(long, tmp_path / "fast")
    history = losses(tmp_path / "fast")
    assert sum(history[-10:]) < 0.6 * sum(history[:10])
    assert {"psnr", "hf_ratio"} <= set(scores)

    vae, fast = load_vae(str(vae_folder)), load_vae(str(tmp_path / "fast"))
    assert fast.space == vae.space
    assert fast.decode(torch.rand(1, 4, 4, 4, 4)).shape == (1, 1, 16, 16, 16)
    card = (tmp_path / "fast" / "README.md").read_text()
    assert "- tiny: 4 volumes" in card
    assert vae.space.sha256 in card


def test_the_folder_holds_no_weights_of_the_encoder(config, vae_folder, tmp_path):
    run(replace(config, updates=2), tmp_path / "fast")
    state = read_state(tmp_path / "fast" / "model.safetensors")
    assert all(key.startswith("layers.") for key in state)
    assert not set(state) & set(read_state(vae_folder / "model.safetensors"))


def test_a_signal_to_all_processes_saves(config, tmp_path, monkeypatch):
    out = tmp_path / "run"
    stopped_by_sigterm(monkeypatch, lambda: run(replace(config, num_workers=1), out))
    assert (out / "checkpoints" / "last.ckpt").is_file()


def test_resume_is_exact(config, tmp_path, monkeypatch):
    run(config, tmp_path / "whole")
    out = tmp_path / "parts"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(decoder_task.DecoderTask, "loss", interrupted_after(6))
        run(config, out)
    run(config, out, resume=True)

    assert losses(out) == losses(tmp_path / "whole")
    one, two = (read_state(f / "model.safetensors") for f in (out, tmp_path / "whole"))
    assert all(torch.equal(one[k], two[k]) for k in one)


def interrupted_after(updates):
    """A loss that ends the run in an update, as a kill would."""
    loss, done = decoder_task.DecoderTask.loss, []

    def interrupted(self, batch):
        done.append(1)
        if len(done) > updates:
            raise KeyboardInterrupt
        return loss(self, batch)

    return interrupted


def test_a_resume_with_another_vae_is_refused(config, tmp_path):
    folder = tiny_vae(tmp_path / "vae", seed=0)
    changing = replace(config, vae=str(folder), updates=2)
    run(changing, tmp_path / "out")
    tiny_vae(folder, seed=1)
    with pytest.raises(WeightsError, match="a decoder for the encoder .* that the run began with"):
        run(changing, tmp_path / "out", resume=True)


def test_a_resume_with_another_teacher_is_refused(config, vae_folder, tmp_path):
    folder = tmp_path / "vae"
    shutil.copytree(vae_folder, folder)
    changing = replace(config, vae=str(folder), updates=2, teacher=1.0)
    run(changing, tmp_path / "out")
    network = tiny_vae_network(0)
    with torch.no_grad():
        network.decoder[0].weight.mul_(2)
    save_small(folder, network, TINY_VAE, "tiny", half=False)
    with pytest.raises(WeightsError, match="another decoder than the run began with"):
        run(changing, tmp_path / "out", resume=True)


def test_a_resume_with_other_volumes_is_refused(config, tmp_path):
    volumes = tiny_cohort(tmp_path / "volumes", n=6)
    changing = replace(config, volumes=str(volumes), updates=2)
    run(changing, tmp_path / "out")
    tiny_cohort(volumes, n=9)
    with pytest.raises(WeightsError, match="holds other training volumes than the run began with"):
        run(changing, tmp_path / "out", resume=True)


def test_a_vae_that_cannot_be_decoded_for(config, tmp_path):
    run(replace(config, updates=2), tmp_path / "fast")
    with pytest.raises(ValueError, match="holds a decoder and no encoder"):
        run(replace(config, vae=str(tmp_path / "fast")), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_volumes_without_training_people(config, tmp_path):
    volumes = tiny_cohort(tmp_path / "volumes", n=4)
    manifest = volumes / "manifest.csv"
    manifest.write_text(manifest.read_text().replace("train", "test"))
    with pytest.raises(ValueError, match=r"has no training subject: see its split.json"):
        run(replace(config, volumes=str(volumes)), tmp_path / "out")
    with pytest.raises(ValueError, match="at most patch=24"):
        run(replace(config, patch=32), tmp_path / "out")


def test_maisis_architecture(config, tmp_path):
    tiny = replace(config, vae="maisi-random", updates=2, check_every=2)
    run(tiny, tmp_path / "fast")
    maisi, fast = load_vae("maisi-random"), load_vae(str(tmp_path / "fast"))
    assert fast.space == maisi.space
    assert fast.decode(torch.rand(1, 4, 4, 4, 4)).shape == (1, 1, 16, 16, 16)
