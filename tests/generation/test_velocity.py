"""The verb: the model's v-loss as theory has it, beside the linear filter's; latents of another space are refused."""

import csv

import pytest
import torch
from PIL import Image

from neuromf.autoencoder.load import load_vae
from neuromf.flow import MeanFlow
from neuromf.generation.model import load_model
from neuromf.generation.velocity import OUTPUT, VelocityConfig, run
from neuromf.latents import LatentDataset, LatentStore, StoreError
from neuromf.latents.gaussian import latent_gaussian
from neuromf.latents.velocity import HeldOutVelocity
from neuromf.runtime.folders import foreign_files
from support import STORE_VAE
from training.support import latent_store

SHAPE = (4, 4, 6, 4)


@pytest.fixture(scope="module")
def store(tmp_path_factory, vae_folder):
    folder = tmp_path_factory.mktemp("velocity") / "latents"
    return latent_store(folder, n=8, size=SHAPE, vae=load_vae(str(vae_folder)).space, val=3)


def asked(model_folder, store, **changes):
    words = {"model": str(model_folder), "latents": str(store), "device": "cpu"}
    return VelocityConfig(**(words | changes))


def test_a_table_a_plot_and_the_mean_ratio(tmp_path, model_folder, store, capsys):
    out = tmp_path / "out"
    ratio = run(asked(model_folder, store), out)
    with (out / "v_loss.csv").open() as stream:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(stream)]
    assert [r["t"] for r in rows] == [0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98]
    assert [r["ratio"] for r in rows] == pytest.approx([r["model"] / r["linear"] for r in rows])
    assert ratio == pytest.approx(
        float(torch.tensor([r["ratio"] for r in rows]).double().log().mean().exp())
    )
    said = capsys.readouterr().out
    assert "v-loss on 3 held-out latents" in said
    assert f"v_linear {ratio:.3f}" in said
    with Image.open(out / "v_loss.png") as image:
        assert image.width > 500
    assert foreign_files(out, OUTPUT) == []


def test_the_loss_is_the_objectives(tmp_path, model_folder, store):
    """The raw loss at r = t, a mean over channels where the objective has the sum."""
    run(asked(model_folder, store, splits=("train",)), tmp_path / "out")
    with (tmp_path / "out" / "v_loss.csv").open() as stream:
        rows = {float(r["t"]): float(r["model"]) for r in csv.DictReader(stream)}

    model, opened = load_model(model_folder), LatentStore(str(store))
    training = LatentDataset(opened, "train", model.config.stats)
    x = model.config.latent_scale * torch.stack([training[i].latent for i in range(5)])
    noise = HeldOutVelocity(x, latent_gaussian(training), 1.0, 0).noise
    objective, t = MeanFlow(jvp="none"), torch.full((5,), 0.25)
    raw = objective.loss(objective.terms(model.network, x, noise, t, t)).raw
    assert rows[0.25] == pytest.approx(float(raw) / 4, rel=1e-4)


def test_refused(tmp_path, model_folder, store):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="model= and latents= are needed"):
        run(VelocityConfig(model=str(model_folder)), out)
    with pytest.raises(StoreError, match="holds no latent in the splits test"):
        run(asked(model_folder, store, splits=("test",)), out)
    with pytest.raises(ValueError, match="some of train, val, test"):
        asked(model_folder, store, splits=("all",))
    other = latent_store(tmp_path / "other", n=6, size=(4, 4, 4, 4), val=2)
    with pytest.raises(ValueError, match=r"holds latents \(4, 4, 4, 4\)"):
        run(asked(model_folder, other), out)
    foreign = latent_store(tmp_path / "foreign", n=6, size=SHAPE, vae=STORE_VAE, val=2)
    with pytest.raises(ValueError, match="fingerprint"):
        run(asked(model_folder, foreign), out)
    assert not out.exists()
