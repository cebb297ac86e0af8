import json
from dataclasses import replace

import pytest
import torch
from rich.progress import Progress

from neuromf.flow import MeanFlow, TimeSampler
from neuromf.flow.sampler import sample
from neuromf.nets.config import Precondition
from neuromf.runtime import config as settings
from neuromf.torus import ToyConfig, run
from neuromf.torus.conversion import ArmTeacher, first_network, needed, task
from neuromf.torus.study import train
from neuromf.training.distillation import Distillation
from neuromf.training.meanflow import MeanFlowTask
from neuromf.training.secants import SecantTask
from torus.support import SHORT, TINY, TINY_BLOBS, TINY_VOLUME

FLOW = {"objective": MeanFlow(jvp="none"), "times": TimeSampler(equal_fraction=1.0)}
SECANTS = Distillation(target="trajectory", steps=4, pairs=4)


def family(base, steps=10):
    """A flow, and arms that learn from it."""
    flow = replace(base, **FLOW, steps=steps)
    velocity = MeanFlow(jvp="two-stream", tangent="conditional")
    return {
        "flow": flow,
        "velocity": replace(base, teacher="flow", objective=velocity),
        "secants": replace(base, teacher="flow", distillation=SECANTS, batch=base.batch // 4),
        "both": replace(base, teacher="flow", objective=velocity, start="secants"),
    }


def trained(arms, *names):
    results, weights = {}, {}
    with Progress(disable=True) as progress:
        for name in needed(arms, names):
            results[name], weights[name] = train(arms, name, 0, progress, weights)
    return results, weights


@pytest.mark.parametrize(
    ("base", "kind"),
    [
        (TINY, "none"),
        (TINY, "skip"),
        (TINY_BLOBS, "skip"),
        (TINY_BLOBS, "gaussian"),
        (TINY_VOLUME, "none"),
        (TINY_VOLUME, "gaussian"),
    ],
    ids=lambda v: v if isinstance(v, str) else v.space,
)
def test_a_student_begins_as_its_teacher_at_every_interval(base, kind):
    predict = "x" if kind == "none" else "u"
    alike = {"precondition": Precondition(kind=kind), "times": TimeSampler(equal_fraction=1.0)}
    arms = {
        "flow": replace(base, objective=MeanFlow(predict=predict, jvp="none"), **alike),
        "student": replace(
            base, objective=MeanFlow(predict=predict), precondition=alike["precondition"],
            teacher="flow",
        ),
    }  # fmt: skip
    _, weights = trained(arms, "flow")
    flow, student = arms["flow"].network(), first_network(arms["student"], weights)
    flow.load_state_dict(weights["flow"])
    z = torch.randn(3, *base.manifold().shape)
    t, r = torch.tensor([1.0, 0.7, 0.2]), torch.tensor([0.0, 0.3, 0.1])

    # Where a part is in closed form, it is that of the interval: what the solver's step takes too.
    expected = arms["flow"].velocity(flow)(z, t, r)
    found = arms["student"].velocity(student)(z, t, r)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    r_plays_a_part = arms["flow"].objective.velocity(flow, z, t, r)
    if kind == "none":
        assert not torch.allclose(r_plays_a_part, expected, rtol=1e-4, atol=1e-5)


def test_secants_bring_one_call_nearer_to_where_the_teacher_arrives():
    arms = family(replace(SHORT, epochs=20, lr=3e-3), steps=20)
    _, weights = trained(arms, "secants")
    flow, student = arms["flow"].network(), arms["secants"].network()
    flow.load_state_dict(weights["flow"])
    student.load_state_dict(weights["secants"])
    noise = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    end = ArmTeacher(arms["flow"], flow).trajectory(noise, 4)[-1]

    def error(network, solver):
        return (sample(network, noise, 1, predict="x", solver=solver) - end).square().mean().item()

    assert error(student, "average") < 0.5 * error(flow, "euler")


def test_what_an_arm_is_trained_for_follows_its_teacher():
    arms = family(TINY) | {"alone": TINY}
    _, weights = trained(arms, "flow")
    network = arms["flow"].network()
    assert isinstance(task(arms["secants"], network, arms, weights), SecantTask)
    taught = task(arms["velocity"], network, arms, weights)
    assert isinstance(taught, MeanFlowTask)
    assert taught.teacher is not None
    assert task(arms["alone"], network, arms, weights).teacher is None


def test_the_velocity_that_is_taught_is_the_teachers():
    arms = family(TINY)
    _, weights = trained(arms, "flow")
    flow = arms["flow"].network()
    flow.load_state_dict(weights["flow"])
    z, t = torch.randn(5, 4), torch.linspace(0.1, 1, 5)
    expected = (z - flow(z, t, t)) / t[:, None]
    torch.testing.assert_close(ArmTeacher(arms["flow"], flow).velocity(z, t), expected)


def test_what_an_arm_needs_is_trained_before_it_and_not_shown(tmp_path):
    arms = family(TINY)
    assert needed(arms, ["both"]) == ["flow", "secants", "both"]
    assert needed(arms, ["velocity", "both"]) == ["flow", "velocity", "secants", "both"]

    metrics = run(ToyConfig(arms=arms, only=("both",)), tmp_path / "out")
    assert list(metrics) == ["both"]
    kept = {p.parent.name for p in (tmp_path / "out" / "arms").glob("*/metrics.json")}
    assert kept == {"flow", "secants", "both"}


def test_a_resumed_run_learns_from_the_teacher_that_was_trained(tmp_path):
    config = ToyConfig(arms=family(TINY), only=("both",))
    before = run(config, tmp_path / "out")["both"]
    arms = tmp_path / "out" / "arms"
    (arms / "both" / "metrics.json").unlink()
    teacher = (arms / "flow" / "model.safetensors").stat().st_mtime_ns
    after = run(config, tmp_path / "out", resume=True)["both"]
    assert (arms / "flow" / "model.safetensors").stat().st_mtime_ns == teacher
    assert after["distance_1"] == before["distance_1"]
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()).keys() == {"both"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"velocity": {"teacher": "flaw"}}, "velocity.teacher is 'flaw': the arms are flow"),
        ({"both": {"start": "x"}}, "both.start is 'x': the arms are"),
        ({"both": {"teacher": "secants"}}, "'secants', which is trained for few calls"),
        ({"velocity": {"width": 16}}, "'flow', which has width=32, this arm 16"),
        ({"velocity": {"space": "dimensions"}}, "which has space=r4, this arm dimensions"),
        (
            {"velocity": {"objective": MeanFlow(predict="u")}},
            "objective.predict=x, this arm u: .* set objective.predict=x",
        ),
        ({"secants": {"start": "both"}}, "leads back to itself: secants -> both -> secants"),
        ({"secants": {"start": "secants"}}, "leads back to itself: secants -> secants"),
    ],
    ids=str,
)
def test_arms_that_could_not_learn_from_each_other_are_refused(changes, message):
    arms = family(TINY)
    arms |= {name: replace(arms[name], **options) for name, options in changes.items()}
    with pytest.raises(ValueError, match=message):
        ToyConfig(arms=arms)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distillation": SECANTS}, "distillation is set and there is no teacher"),
        (FLOW | {"teacher": "flow"}, "teacher is 'flow' with objective.jvp=none"),
        (
            {"teacher": "flow", "distillation": Distillation(guide="g", guidance=2.0)},
            "teachers of this study have no guide",
        ),
    ],
    ids=["no-teacher", "flow", "guide"],
)
def test_an_arm_that_is_no_student_has_nothing_of_one(options, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **options)


def test_the_arms_of_the_preset_begin_as_those_of_the_others():
    """A file of presets cannot refer to another: what is written twice stays equal."""
    arms, blobs, quick = (
        settings.load(ToyConfig, [f"preset={name}"], "toy").arms
        for name in ("conversion", "blobs", "quick")
    )
    assert arms["blobs-scratch"] == blobs["x"]
    assert arms["blobs-flow"] == blobs["flow-x"]
    assert arms["torus-scratch"] == replace(quick["d256-x"], calls=(1, 2, 5, 10, 25, 50))
