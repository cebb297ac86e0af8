"""Export: the weights that were asked for, half or whole, with what is needed to draw."""

import json
import sys

import pytest
import torch
import yaml

from neuromf.generation.model import load_model
from neuromf.latents.statistics import LatentStats
from neuromf.nets.config import Precondition
from neuromf.pretrained.statedict import read_state
from neuromf.runtime import config as settings
from neuromf.training import command as fit
from neuromf.training import export
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Evaluation
from neuromf.training.distillation import Distillation
from training.support import FLOW, STUDENT, tiny_config
from training.test_hub import Hub


@pytest.fixture(scope="module")
def trained(tmp_path_factory, store):
    out = tmp_path_factory.mktemp("export") / "run"
    fit.run(tiny_config(store, updates=12, ema=(0.5, 0.9)), out)
    return out


def test_every_kind_of_weights(tmp_path, trained):
    state = read_checkpoint(trained / "checkpoints" / "last.ckpt")
    for ema, expected in (
        (0.0, state["averages"]["0.5"]),
        (0.9, state["averages"]["0.9"]),
        (-1.0, state["network"]),
    ):
        folder = export.run(
            export.ExportConfig(str(trained), ema=ema, half=False), tmp_path / str(ema)
        )
        stored = read_state(folder / "model.safetensors")
        assert all(torch.equal(v, expected[k]) for k, v in stored.items())
    with pytest.raises(ValueError, match="the run kept 0.5, 0.9"):
        export.run(export.ExportConfig(str(trained), ema=0.7), tmp_path / "no")
    assert not (tmp_path / "no" / "config.json").exists()


@pytest.mark.parametrize("decays", [(0.9999, 0.5), (0.5, 0.9999)])  # the best is not always first
def test_of_several_averages_the_best_on_held_out_latents_is_the_model(tmp_path, store, decays):
    looks = Evaluation(every=6, n=4, projections=8)
    config = tiny_config(store, updates=12, ema=decays, evaluation=looks)
    fit.run(config, tmp_path / "run")
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    row = state["state"]["evaluations"][-1]
    first, second = row["v_linear"], row[f"v_linear_{decays[1]:g}"]
    assert first != second
    decay = decays[0] if first < second else decays[1]
    assert load_model(tmp_path / "run" / "model").config.ema == decay
    stored = read_state(tmp_path / "run" / "model" / "model.safetensors")
    assert all(torch.equal(v, state["averages"][str(decay)][k]) for k, v in stored.items())


def test_an_export_is_uploaded_if_asked(tmp_path, trained, monkeypatch, capsys):
    there = Hub()
    monkeypatch.setitem(sys.modules, "huggingface_hub", there.module())
    config = export.ExportConfig(str(trained), license="apache-2.0", push="me/brains")
    folder = export.run(config, tmp_path / "model")
    assert "model.safetensors" in there.uploaded["me/brains"]
    assert "https://huggingface.co/me/brains" in capsys.readouterr().out
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "apache-2.0"

    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub(token="").module())
    with pytest.raises(settings.ConfigError, match="nobody is logged in"):
        export.run(config, tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_folder_says_what_it_is(tmp_path, trained, store):
    folder = export.run(export.ExportConfig(str(trained), name="mine"), tmp_path / "model")
    model = load_model(folder)
    assert model.config.name == "mine"
    assert model.config.stats == LatentStats.load(store)
    assert model.config.spacing == (2.0, 2.0, 2.0)
    assert (model.config.solver, model.config.predict, model.config.updates) == ("average", "x", 12)
    assert next(iter(read_state(folder / "model.safetensors").values())).dtype == torch.float16
    card = (folder / "README.md").read_text()
    assert "neuromf generate model=FOLDER" in card
    assert "18 latents of 18 people" in card
    assert (
        json.loads((folder / "config.json").read_text())["components"][0]["vae"]["name"] == "tiny"
    )


def test_training_writes_the_same_model_in_float32(trained):
    model = load_model(trained)
    assert model.config.ema == 0.5
    assert (
        next(iter(read_state(trained / "model" / "model.safetensors").values())).dtype
        == torch.float32
    )


def test_a_vae_in_the_home_folder_is_copied(tmp_path, trained, vae_folder, monkeypatch):
    monkeypatch.setenv("HOME", str(vae_folder.parent))
    monkeypatch.setenv("USERPROFILE", str(vae_folder.parent))
    last = trained / "checkpoints" / "last.ckpt"
    folder = export.export(last, tmp_path / "model", vae=f"~/{vae_folder.name}")
    copied, own = (f / "model.safetensors" for f in (folder / "vae", vae_folder))
    assert copied.read_bytes() == own.read_bytes()


def test_a_run_in_the_current_folder_has_its_name(tmp_path, trained, monkeypatch):
    monkeypatch.chdir(trained)
    folder = export.run(export.ExportConfig("."), tmp_path / "brains")
    assert load_model(folder).config.name == trained.name


def test_what_is_missing_is_named(tmp_path, trained):
    with pytest.raises(settings.ConfigError, match="run= names no folder"):
        export.run(export.ExportConfig(), tmp_path / "a")
    with pytest.raises(
        FileNotFoundError, match="best.ckpt: no such checkpoint; there are last, update-00000012"
    ):
        export.run(export.ExportConfig(str(trained), checkpoint="best"), tmp_path / "a")


def test_what_is_shared_names_no_folder_of_this_machine(store):
    here = "/data/hospital"
    config = tiny_config(
        store, vae=f"{here}/vae", table=f"{here}/people.csv", adapt=f"{here}/brains", wandb="ward",
        conditions={"age": "number"},
    )  # fmt: skip
    shared = export.shareable(config)
    assert "hospital" not in settings.to_yaml(shared)
    assert (shared.adapt, shared.table, shared.wandb, shared.latents) == ("brains", "", "", "")
    assert shared.conditions == config.conditions
    taught = tiny_config(store, teacher=f"{here}/flow", objective=STUDENT)
    assert export.shareable(taught).teacher == "flow"


def test_the_card_of_a_model_names_no_table(tmp_path, store):
    people = tmp_path / "hospital" / "people.csv"
    people.parent.mkdir()
    people.write_text("name,age\n" + "".join(f"s{i:02d},{i}\n" for i in range(24)))
    config = tiny_config(store, updates=1, conditions={"age": "number"}, table=str(people))
    card = (fit.run(config, tmp_path / "run") / "README.md").read_text(encoding="utf-8")
    assert "age: number" in card
    assert "hospital" not in card


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (FLOW, "rectified flow, u-prediction"),
        ({}, "MeanFlow, tangent boundary, x-prediction"),
        (
            {"objective": STUDENT, "precondition": Precondition("gaussian")},
            "MeanFlow, tangent conditional, u-prediction about the flow of a Gaussian",
        ),
        (
            {"objective": STUDENT, "teacher": "flow", "distillation": Distillation("trajectory")},
            "average velocities along the trajectories of a rectified flow, u-prediction",
        ),
        (
            {"objective": STUDENT, "teacher": "flow", "precondition": Precondition("skip")},
            "MeanFlow against the velocity of a rectified flow, tangent conditional, "
            "u-prediction with a skip",
        ),
    ],
)
def test_the_card_says_what_the_training_was(store, changes, words):
    assert export.method(tiny_config(store, **changes)) == words
