"""Several trainings in one command: their order, what each begins with, and a stop in the middle."""

from dataclasses import replace

import pytest
import torch

from neuromf.generation.model import load_model
from neuromf.latents.shard import StoreError
from neuromf.nets.config import Precondition
from neuromf.runtime.cluster import Job, check
from neuromf.runtime.config import ConfigError, presets, to_yaml
from neuromf.runtime.folders import foreign_files
from neuromf.runtime.run import Stopped
from neuromf.training import command
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Evaluation, Optimiser
from neuromf.training.distillation import Distillation
from neuromf.training.stages import OUTPUT, StagesConfig, planned, run
from training.support import FLOW, STUDENT, tiny_config


@pytest.fixture(scope="module")
def config(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stages")
    common = {"precondition": Precondition("gaussian"), "updates": 2}
    files = {
        "flow": tiny_config(store, **common, **FLOW),
        "secants": tiny_config(
            store, **common, objective=STUDENT, distillation=Distillation("trajectory", 4, 3)
        ),
        "meanflow": tiny_config(store, **common, objective=STUDENT),
    }
    for name, value in files.items():
        (folder / f"{name}.yaml").write_text(to_yaml(value))
    stages = tuple(str(folder / f"{name}.yaml") for name in files)
    return StagesConfig(latents=str(store), stages=stages)


def weights(folder):
    return read_checkpoint(folder / "checkpoints" / "last.ckpt")["network"]


def test_each_begins_with_the_one_before_and_learns_from_the_flow(config, tmp_path):
    plan = planned(config, tmp_path)
    assert list(plan) == ["flow", "secants", "meanflow"]
    flow = str(tmp_path / "stages" / "flow" / "model")
    secants = str(tmp_path / "stages" / "secants" / "model")
    assert [c.teacher for c in plan.values()] == ["", flow, flow]
    assert [c.start for c in plan.values()] == ["", "", secants]


def test_its_files_are_told_from_the_users(config, tmp_path):
    run(replace(config, stages=config.stages[:1]), tmp_path)
    assert foreign_files(tmp_path, OUTPUT) == []
    mine = ["stages/flow/drawn/brain.nii.gz", "stages/flow/notes.md", "stages/notes.md"]
    (tmp_path / "stages" / "flow" / "drawn").mkdir()
    for name in mine:
        (tmp_path / name).write_text("mine")
    assert foreign_files(tmp_path, OUTPUT) == mine


def test_a_run_that_was_stopped_ends_as_one_that_was_not(config, tmp_path, monkeypatch):
    run(config, tmp_path / "whole")

    class StopInTheSecond(command.Saver):
        def on_train_batch_end(self, trainer, loop, outputs, batches, number):
            self.asked = self.asked or ("secants" in str(self.folder) and loop.state.update == 1)
            super().on_train_batch_end(trainer, loop, outputs, batches, number)

    monkeypatch.setattr(command, "Saver", StopInTheSecond)
    with pytest.raises(Stopped):
        run(config, tmp_path / "parts")
    monkeypatch.undo()
    assert not (tmp_path / "parts" / "model").exists()
    model = run(config, tmp_path / "parts", resume=True)

    for name in ("flow", "secants", "meanflow"):
        whole, parts = (weights(tmp_path / p / "stages" / name) for p in ("whole", "parts"))
        assert all(torch.equal(v, parts[k]) for k, v in whole.items())
    drawn = load_model(model)
    assert (drawn.config.name, drawn.config.solver) == ("parts", "average")
    last = load_model(tmp_path / "parts" / "stages" / "meanflow")
    assert drawn.sha256 == last.sha256


def test_the_model_is_the_best_where_patience_ended_the_last_stage(config, store, tmp_path):
    looks = Evaluation(every=1, n=4, projections=8, patience=1, monitor="raw")
    worse = Optimiser(lr=0.5)  # each update is worse than the one before
    flow = tiny_config(store, updates=9, evaluation=looks, optimiser=worse, **FLOW)
    (tmp_path / "flow.yaml").write_text(to_yaml(flow))
    alone = replace(config, stages=(str(tmp_path / "flow.yaml"),))
    model = load_model(run(alone, tmp_path / "run"))
    stage = tmp_path / "run" / "stages" / "flow"
    best, last = (
        read_checkpoint(stage / "checkpoints" / name)["state"]["update"]
        for name in ("best.ckpt", "last.ckpt")
    )
    assert best < last < 9
    assert model.config.updates == best
    assert model.sha256 == load_model(stage).sha256


def test_a_teacher_stands_in_for_the_first_stage(config, tmp_path):
    plan = planned(replace(config, teacher="runs/flow"), tmp_path)
    assert list(plan) == ["secants", "meanflow"]
    assert {c.teacher for c in plan.values()} == {"runs/flow"}


def test_stages_out_of_order_are_refused_before_anything_is_made(config, tmp_path):
    flow, secants, meanflow = config.stages
    with pytest.raises(ConfigError, match="flow trains a rectified flow after secants: it comes"):
        run(replace(config, stages=(secants, flow), teacher="x"), tmp_path / "run")
    with pytest.raises(ConfigError, match="none comes before it: begin with one"):
        run(replace(config, stages=(meanflow, secants)), tmp_path / "run")
    with pytest.raises(ConfigError, match="teacher= is one already"):
        run(replace(config, stages=(flow,), teacher="x"), tmp_path / "run")
    with pytest.raises(ConfigError, match="unknown preset 'flow3mm'"):
        run(replace(config, stages=("flow3mm",)), tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="teacher|model=x"):
        run(replace(config, stages=(secants,), teacher="x"), tmp_path / "run")
    with pytest.raises(ConfigError, match="stage secants has devices=2 nodes=1: .* one process"):
        run(replace(config, words=("secants.devices=2",)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_job_would_refuse_is_refused_before_it_waits_in_a_queue(config, tmp_path):
    job = Job("train-stages", "neuromf.training.stages", config, tmp_path / "run")
    assert any("a step of batch=2 needs" in line for line in check(job))
    with pytest.raises(StoreError, match="nowhere"):
        check(replace(job, config=replace(config, latents=str(tmp_path / "nowhere"))))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": ()}, "one or more"),
        ({"stages": ("a/flow.yaml", "b/flow.yaml")}, "its own name"),
        ({"words": ("latents=x",)}, "keys of their own"),
        ({"words": ("seed=1",), "seed": 2}, "keys of their own"),
        ({"words": ("flow2mm.teacher=x",)}, "keys of their own"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        StagesConfig(**changes)


def test_a_stage_has_a_vae_of_its_own_unless_one_is_given_for_all(config, store, tmp_path):
    (tmp_path / "flow.yaml").write_text(to_yaml(tiny_config(store, vae="mine", **FLOW)))
    alone = replace(config, stages=(str(tmp_path / "flow.yaml"),))
    for given, expected in (("", "mine"), ("other", "other")):
        assert planned(replace(alone, vae=given), tmp_path)["flow"].vae == expected


def test_a_word_after_the_name_of_a_stage_is_for_that_stage_alone(config, tmp_path):
    words = ("updates=3", "secants.updates=7", "flow.optimiser.lr=0.5")
    plan = planned(replace(config, words=words), tmp_path)
    assert [c.updates for c in plan.values()] == [3, 7, 3]
    assert [c.optimiser.lr == 0.5 for c in plan.values()] == [True, False, False]
    with pytest.raises(ConfigError, match=r"'?flow3\.updates"):
        planned(replace(config, words=("flow3.updates=2",)), tmp_path)


def test_the_shipped_stages_are_presets_that_fit_each_other(tmp_path):
    config = StagesConfig(words=("batch=2",), seed=3)
    assert set(config.stages) <= set(presets("train"))
    plan = planned(config, tmp_path)
    assert (
        len(
            {
                (c.network, c.precondition, c.latent_scale, c.objective.predict)
                for c in plan.values()
            }
        )
        == 1
    )
    assert {(c.batch, c.seed) for c in plan.values()} == {(2, 3)}
    earlier = planned(StagesConfig(words=("seed=1",)), tmp_path)  # as before there was a key
    assert {c.seed for c in earlier.values()} == {1}
