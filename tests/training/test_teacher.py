"""A conversion begins as its teacher, takes its velocity for granted, and stays with one teacher."""

import shutil
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.generation.model import ModelConfig, load_model, save_model
from neuromf.nets.config import Precondition
from neuromf.nets.precondition import build
from neuromf.nets.variables import Conditions, Variable
from neuromf.runtime.run import Stopped
from neuromf.training import command
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import TrainConfig
from neuromf.training.data import Data
from neuromf.training.distillation import ALONE, Distillation
from neuromf.training.start import first_network
from neuromf.training.teacher import Teacher, check_teacher, load_teacher
from support import TINY, randomised, relative
from training.support import FLOW, STUDENT, StopAfter, tiny_config

SOLVERS = {"none": "euler", "gaussian": "exponential"}  # of a flow with such a precondition


@pytest.fixture(scope="module")
def teacher(tmp_path_factory, store):
    """A rectified flow of a few updates, at a rate at which it does not return zeros."""
    config = tiny_config(store, updates=4, precondition=Precondition("gaussian"), **FLOW)
    config = replace(config, optimiser=replace(config.optimiser, lr=0.02))
    return command.run(config, tmp_path_factory.mktemp("teacher") / "run")


def student(store, teacher, **changes) -> TrainConfig:
    values = {
        "teacher": str(teacher),
        "precondition": Precondition("gaussian"),
        "objective": STUDENT,
    }
    return tiny_config(store, **(values | changes))


def taught(config):
    data = Data.read(config)
    return load_teacher(config, data.origin)


def case(n=2):
    z = torch.randn(n, 4, 8, 8, 8, generator=torch.Generator().manual_seed(5))
    return z, torch.tensor([0.9, 0.4])[:n], torch.tensor([0.0, 0.2])[:n]


def test_a_flow_with_a_gaussian_is_sampled_by_an_exponential_integrator(teacher):
    assert load_model(teacher).config.solver == "exponential"


def test_its_velocity_is_the_models_at_equal_times(store, teacher):
    z, t, _ = case()
    expected = load_model(teacher).network(z, t, t)
    assert relative(taught(student(store, teacher)).velocity(z, t), expected) < 1e-5


def test_the_student_begins_as_its_teacher_whatever_the_interval(store, teacher):
    config = student(store, teacher)
    own = taught(config)
    network = first_network(config, Data.read(config), own)
    z, t, r = case()
    assert relative(network(z, t, t), own.velocity(z, t)) < 1e-6
    assert relative(network(z, t, r), own.velocity(z, t, r)) < 1e-6
    inner = [network.network(z, t, end) for end in (t, r)]
    assert torch.equal(inner[0], inner[1])  # deaf to the interval


def test_the_interval_can_be_learned(store, teacher):
    config = student(store, teacher)
    network = first_network(config, Data.read(config), taught(config))
    z, t, r = case()
    network(z, t, r).square().mean().backward()
    assert float(network.network.interval_embed[-1].weight.grad.abs().max()) > 0


def test_a_guide_leads_away_from_itself(store, teacher, tmp_path):
    config = student(store, teacher)
    data = Data.read(config)
    model, guide = load_model(teacher), load_model(teacher)
    with torch.no_grad():
        guide.network.network.body.out[2].conv.bias.add_(0.5)
    z, t, _ = case()
    plain, worse = Teacher(model).velocity(z, t), Teacher(guide).velocity(z, t)
    guided = Teacher(model, guide, 1.5).velocity(z, t)
    assert relative(guided, plain + 0.5 * (plain - worse)) < 1e-5
    assert relative(guided, plain) > 1e-3
    assert data.store.components == model.config.components


def test_a_flow_with_conditions_is_its_own_guide(store, tmp_path):
    """Classifier-free guidance: v_0 + w (v - v_0), with v_0 told nothing."""
    known = Conditions((Variable("contrast", ("T1w", "T2w")),))
    for precondition in (Precondition(), Precondition("gaussian")):
        network = randomised(build(TINY, precondition, 1.0, (4, 8, 8, 8), known))
        origin = Data.read(tiny_config(store)).origin
        config = ModelConfig(
            "flow", TINY, "u", "euler", 1.0, origin.components, origin.stats, origin.spacing, 1, 0.9,
            precondition, known,
        )  # fmt: skip
        state = network.state_dict()
        folder = tmp_path / precondition.kind
        save_model(folder, replace(config, solver=SOLVERS[precondition.kind]), state, "#\n")
        wanted = Distillation("trajectory", guide=ALONE, guidance=3.0)
        settings = student(store, folder, distillation=wanted, precondition=precondition)
        teacher = load_teacher(settings, origin._replace(conditions=known))
        assert teacher is not None

        z, t, _ = case()
        given = known.condition([{"contrast": "T2w"}] * 2)
        plain = Teacher(load_model(folder))
        v, v_0 = plain.velocity(z, t, condition=given), plain.velocity(z, t)
        assert relative(v, v_0) > 1e-3
        found = teacher.velocity(z, t, condition=given)
        assert relative(found, v_0 + 3 * (v - v_0)) < 1e-5


@pytest.mark.parametrize("target", ["velocity", "trajectory"])
def test_resume_is_exact(tmp_path, store, teacher, target, monkeypatch):
    config = student(store, teacher, updates=4, distillation=Distillation(target, 4, 3))
    command.run(config, tmp_path / "whole")

    monkeypatch.setattr(StopAfter, "update", 2)
    monkeypatch.setattr(command, "Saver", StopAfter)
    with pytest.raises(Stopped):
        command.run(config, tmp_path / "parts")
    monkeypatch.undo()
    command.run(config, tmp_path / "parts", resume=True)
    a, b = (read_checkpoint(tmp_path / p / "checkpoints" / "last.ckpt") for p in ("whole", "parts"))
    assert a["teacher"] == b["teacher"] == load_model(teacher).sha256
    assert all(torch.equal(v, b["network"][k]) for k, v in a["network"].items())
    assert [r["raw"] for r in a["state"]["rows"]] == [r["raw"] for r in b["state"]["rows"]]
    assert load_model(tmp_path / "parts").config.solver == "average"


def test_another_teacher_in_the_folder_is_refused_at_resume(tmp_path, store, teacher):
    own = shutil.copytree(teacher, tmp_path / "teacher")
    config = student(store, own, updates=2)
    command.run(config, tmp_path / "run")
    (tmp_path / "run" / "model" / "config.json").unlink()
    other = tiny_config(store, updates=2, precondition=Precondition("gaussian"), **FLOW)
    replaced = command.run(replace(other, seed=9), tmp_path / "other")
    shutil.rmtree(own)
    shutil.copytree(replaced, own)
    with pytest.raises(ValueError, match=r"was taught by the model .* put the first one back"):
        command.run(config, tmp_path / "run", resume=True)


def test_what_cannot_teach_is_refused(store, teacher, tmp_path):
    model = load_model(teacher)
    config = student(store, teacher)
    origin = Data.read(config).origin

    def refused(match, model=model, config=config, **changes):
        with pytest.raises(ValueError, match=match):
            check_teacher("teacher=x", model, config, origin._replace(**changes))

    other = Conditions((Variable("age"),))
    refused(r"conditions none, this run has age \(0 to 1\)", conditions=other)
    refused("encode with the same VAE", components=image_of(LatentSpace("o", "b" * 64, 4, 4)))
    refused("voxels of 9 x 1 x 1 mm.*import-maisi spacing=", spacing=(9.0, 1.0, 1.0))
    refused("set latent_scale=1.0", config=replace(config, latent_scale=0.5))
    means = replace(origin.stats, mean=(9.0,) * 4)
    refused("other means and deviations", stats=means)
    one_call = replace(model, config=replace(model.config, solver="average"))
    refused("is itself trained for few calls", model=one_call)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precondition": Precondition("skip")}, "set precondition.kind=gaussian"),
        (
            {"precondition": Precondition(), "objective": replace(STUDENT, predict="x")},
            "set objective.predict=u precondition.kind=gaussian",
        ),
        ({"network": replace(TINY, res_blocks=2)}, "set network.res_blocks=1"),
    ],
)
def test_a_student_of_another_parametrisation_is_refused_before_anything_is_made(
    store, teacher, tmp_path, changes, message
):
    with pytest.raises(ValueError, match=message):
        command.run(student(store, teacher, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": "x", **FLOW}, "drop teacher="),
    ],
)
def test_contradictions_are_refused(store, changes, message):
    with pytest.raises(ValueError, match=message):
        tiny_config(store, **changes)


def test_distillation_without_a_teacher_is_refused(store, tmp_path):
    with pytest.raises(ValueError, match="there is no teacher: teacher=MODEL"):
        command.run(tiny_config(store, distillation=Distillation("trajectory")), tmp_path / "run")
    assert not (tmp_path / "run").exists()
