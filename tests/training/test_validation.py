"""Evaluation: the best weights are kept, patience ends a run, losses are of the averaged weights and free of chance."""

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from neuromf.flow import MeanFlow
from neuromf.latents.gaussian import latent_gaussian
from neuromf.nets.config import Precondition
from neuromf.runtime.run import Stopped
from neuromf.training import command as fit
from neuromf.training import validation as evaluation
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Evaluation, Samples
from neuromf.training.data import Data
from neuromf.training.teacher_error import TeacherError
from training.support import FLOW, STUDENT, latent_store, tiny_config


def scripted(monkeypatch, values):
    found = iter(values)
    monkeypatch.setattr(evaluation, "distance", lambda *_: next(found))


def test_best_is_kept_and_a_tired_run_ends(tmp_path, store, monkeypatch):
    scripted(monkeypatch, [3.0, 1.0, 2.0, 2.5, 0.1])
    config = tiny_config(
        store,
        updates=10,
        evaluation=Evaluation(every=2, n=4, projections=8, patience=2, monitor="swd"),
    )
    fit.run(config, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    assert read_checkpoint(folder / "best.ckpt")["state"]["update"] == 4
    last = read_checkpoint(folder / "last.ckpt")
    assert last["state"]["update"] == 8
    assert [look["swd"] for look in last["state"]["evaluations"]] == [3.0, 1.0, 2.0, 2.5]
    assert (tmp_path / "run" / "evaluation.csv").read_text().count("\n") == 5


def test_training_brings_samples_closer_to_held_out_latents(tmp_path, store, record_property):
    """P4-T1 to T3 in small: it starts, raw loss and distance fall, nothing is NaN."""
    config = tiny_config(
        store, updates=100, batch=4, objective=MeanFlow(jvp="two-stream", weight_power=0.5)
    )
    config = replace(
        config, optimiser=replace(config.optimiser, lr=3e-3), evaluation=Evaluation(50, 16, 64)
    )
    fit.run(config, tmp_path / "run")
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    raw = [row["raw"] for row in state["state"]["rows"]]
    record_property(
        "measured",
        f"{len(raw)} updates; raw loss {sum(raw[:10]) / 10:.3g} in the first ten, "
        f"{sum(raw[-10:]) / 10:.3g} in the last",
    )
    assert len(raw) == 100
    assert sum(raw[-10:]) < 0.5 * sum(raw[:10])
    assert sum(row["nonfinite_samples"] + row["skipped"] for row in state["state"]["rows"]) == 0
    distances = [look["swd"] for look in state["state"]["evaluations"]]
    assert distances[-1] < 0.8 * distances[0]
    for name in ("raw", "v_linear", "v_0.5"):
        held_out = [look[name] for look in state["state"]["evaluations"]]
        assert held_out[-1] < held_out[0]


def test_held_out_loss_does_not_depend_on_chance(tmp_path, store):
    config = tiny_config(store, updates=2, evaluation=Evaluation(every=1, n=4, projections=8))
    fit.run(config, tmp_path / "a")
    fit.run(config, tmp_path / "b")
    looks = [
        read_checkpoint(tmp_path / n / "checkpoints" / "last.ckpt")["state"]["evaluations"]
        for n in "ab"
    ]
    assert looks[0] == looks[1]
    for name in ("raw", "v_linear"):
        assert looks[0][0][name] != pytest.approx(looks[0][1][name])
    assert torch.tensor(looks[0][0]["swd"]) > 0


def test_rows_have_the_velocity_and_the_power_and_the_json_the_linear_filter(tmp_path, store):
    config = tiny_config(store, updates=2, evaluation=Evaluation(every=1, n=4, projections=8))
    fit.run(config, tmp_path / "run")
    row = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state"]["evaluations"][0]
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    linear = found["v_loss_linear"]
    assert list(linear) == ["0.02", "0.05", "0.1", "0.25", "0.5", "0.75", "0.9", "0.98"]
    ratios = [math.log(row[f"v_{t}"] / linear[t]) for t in linear]
    assert row["v_linear"] == pytest.approx(math.exp(sum(ratios) / 8))
    assert found["monitor"] == "v_linear"
    assert found["best"]["v_linear"] == min(
        found["baseline"]["v_linear"], found["last"]["v_linear"]
    )
    powers = [name for name in row if name.startswith("power")]
    # latents of 8 voxels an axis have no wave in the second of eight bands
    assert powers == [f"power_{i}" for i in (1, 3, 4, 5, 6, 7, 8)]
    header = (tmp_path / "run" / "evaluation.csv").read_text().splitlines()[0]
    assert {"v_0.02", "v_0.98", "v_linear", "power_8"} <= set(header.split(","))
    for online in ("", "_online"):  # parts make the whole; averaged and online weights differ
        low, high = sorted(row[f"raw_{kind}{online}"] for kind in ("equal", "interval"))
        assert low < row[f"raw{online}"] < high
    assert row["raw"] != row["raw_online"]


def test_a_run_whose_rows_have_no_v_linear_goes_on(tmp_path, store, monkeypatch):
    """Version 0.1 wrote none: the first row that has one is the best."""
    looks = Evaluation(every=2, n=4, projections=8, patience=3)
    config = tiny_config(store, updates=8, evaluation=looks)

    class Stop(fit.Saver):
        def on_train_batch_end(self, trainer, loop, outputs, batches, number):
            rows = loop.state.evaluations
            loop.state.evaluations = [{k: r[k] for k in ("update", "swd", "raw")} for r in rows]
            self.asked = self.asked or loop.state.update >= 4
            super().on_train_batch_end(trainer, loop, outputs, batches, number)

    monkeypatch.setattr(fit, "Saver", Stop)
    with pytest.raises(Stopped):
        fit.run(config, tmp_path / "run")
    monkeypatch.undo()
    (tmp_path / "run" / "checkpoints" / "best.ckpt").unlink()
    fit.run(config, tmp_path / "run", resume=True)
    last = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")["state"]["evaluations"]
    assert [("v_linear" in row) for row in last] == [False, False, True, True]
    fit.run(config, tmp_path / "whole")
    whole = read_checkpoint(tmp_path / "whole" / "checkpoints" / "last.ckpt")["state"]
    assert last[2:] == whole["evaluations"][2:]  # to the bit
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["baseline"]["update"] == 6
    best = read_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt")["state"]["update"]
    assert best == found["best"]["update"]


def test_samples_like_the_held_out_ones_have_their_power():
    x = torch.randn(6, 2, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    mean = 100 * torch.ones(2, 16, 16, 16)
    found = evaluation.relative_power(mean + 0.5 * x, mean + x, mean)
    assert found.tolist() == pytest.approx([0.25] * 8, rel=1e-4)


def test_the_error_to_a_teacher_is_monitored(tmp_path, store):
    flow = tiny_config(store, updates=4, precondition=Precondition("gaussian"), **FLOW)
    teacher = fit.run(flow, tmp_path / "teacher")
    looks = Evaluation(every=1, n=4, projections=8, monitor="teacher")
    config = tiny_config(
        store, updates=2, evaluation=looks, samples=Samples(1, 4, (1,)), teacher=str(teacher),
        objective=STUDENT, precondition=Precondition("gaussian"),
    )  # fmt: skip
    fit.run(config, tmp_path / "run")

    [kept] = (tmp_path / "run" / "evaluation").glob("teacher-*.safetensors")
    mean = latent_gaussian(Data.read(config).train).mean
    error = TeacherError(load_file(kept)["samples"], mean)
    last = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    for row in last["state"]["evaluations"]:
        drawn = load_file(tmp_path / "run" / "samples" / f"update-{row['update']:08d}.safetensors")
        expected = error.row(drawn["calls_1"])  # of the same noise
        assert {name: row[name] for name in expected} == pytest.approx(expected)
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert found["monitor"] == "teacher"
    assert found["best"]["error"] == min(r["error"] for r in last["state"]["evaluations"])


def test_refused(tmp_path, store):
    looks = Evaluation(every=1, n=4, projections=8)
    with pytest.raises(ValueError, match="needs a training with a teacher"):
        fit.run(tiny_config(store, evaluation=replace(looks, monitor="teacher")), tmp_path / "run")
    alone = latent_store(tmp_path / "latents", n=3, val=2)
    with pytest.raises(ValueError, match="holds one training latent, a linear filter"):
        fit.run(tiny_config(alone, evaluation=looks), tmp_path / "alone")
