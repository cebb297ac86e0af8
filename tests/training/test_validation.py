"""Evaluation: the best weights are kept, patience ends a run, the raw loss is of the averaged weights."""

from dataclasses import replace

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.training import command as fit
from neuromf.training import validation as evaluation
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Evaluation
from training.support import tiny_config


def test_patience():
    def over(distances, patience):
        rows = [{"swd": d} for d in distances]
        return evaluation.out_of_patience(rows, Evaluation(patience=patience))

    assert not over([], 2)
    assert not over([3, 2, 4], 2)
    assert over([3, 2, 4, 5], 2)
    assert not over([3, 2, 4, 5], 0)
    assert not over([float("nan"), 2, 1.5, 1], 2)
    assert over([2, float("nan"), float("nan")], 2)


def scripted(monkeypatch, values):
    found = iter(values)
    monkeypatch.setattr(evaluation, "distance", lambda *_: next(found))


def test_best_is_kept_and_a_tired_run_ends(tmp_path, store, monkeypatch):
    scripted(monkeypatch, [3.0, 1.0, 2.0, 2.5, 0.1])
    config = tiny_config(
        store, updates=10, evaluation=Evaluation(every=2, n=4, projections=8, patience=2)
    )
    fit.run(config, tmp_path / "run")
    folder = tmp_path / "run" / "checkpoints"
    assert read_checkpoint(folder / "best.ckpt")["state"]["update"] == 4
    last = read_checkpoint(folder / "last.ckpt")
    assert last["state"]["update"] == 8
    assert [look["swd"] for look in last["state"]["evaluations"]] == [3.0, 1.0, 2.0, 2.5]
    assert (tmp_path / "run" / "evaluation.csv").read_text().count("\n") == 5


def test_training_brings_samples_closer_to_held_out_latents(tmp_path, store):
    """P4-T1 to T3 in small: it starts, raw loss and distance fall, nothing is NaN."""
    config = tiny_config(
        store, updates=40, batch=4, objective=MeanFlow(jvp="two-stream", weight_power=0.5)
    )
    config = replace(
        config, optimiser=replace(config.optimiser, lr=3e-3), evaluation=Evaluation(20, 16, 64)
    )
    fit.run(config, tmp_path / "run")
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.ckpt")
    raw = [row["raw"] for row in state["state"]["rows"]]
    assert sum(raw[-10:]) < 0.5 * sum(raw[:10])
    assert sum(row["nonfinite_samples"] + row["skipped"] for row in state["state"]["rows"]) == 0
    distances = [look["swd"] for look in state["state"]["evaluations"]]
    assert distances[-1] < 0.8 * distances[0]
    held_out = [look["raw"] for look in state["state"]["evaluations"]]
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
    assert looks[0][0]["raw"] != pytest.approx(looks[0][1]["raw"])
    assert torch.tensor(looks[0][0]["swd"]) > 0
