"""Diagnostics: figures whose value is known; nothing is done between looks; training does not notice."""

import csv
import json
import math
from dataclasses import replace

import pytest
import torch

from neuromf.flow import MeanFlow, Ramp
from neuromf.training import command as fit
from neuromf.training import diagnostics
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Diagnostics
from support import batch, tiny_unet
from training.support import tiny_config


class PointMass(torch.nn.Module):
    """x̂ = 0 for data that are 0: V = v_c everywhere."""

    def forward(self, z, t, r):
        return 0 * z


def test_figures_of_a_known_field():
    _, noise, t, r = batch(4, 4, 4, 4, 4)
    terms = MeanFlow().terms(PointMass(), 0 * noise, noise, t, r)
    row = diagnostics.measures(terms, MeanFlow().loss(terms))
    assert row["raw"] == pytest.approx(0, abs=1e-20)
    assert row["cosine_V_v_c"] == pytest.approx(1)
    assert row["rms_V"] == pytest.approx(row["rms_v_c"])
    assert row["rms_dudt"] == pytest.approx(0, abs=1e-12)
    assert row["share_equal"] == 0.25
    assert row["weight_mean"] == pytest.approx(1 / 0.01)
    assert math.isnan(row["raw_h_0.1_0.3"])


def test_block_norms():
    row = diagnostics.block_norms(
        {
            "body.down_blocks.0.a": torch.full((9,), 1.0),
            "body.down_blocks.0.b": torch.full((16,), 1.0),
            "head.x": torch.ones(4),
        }
    )
    assert row == {"body.down_blocks.0": 5.0, "head.x": 2.0}
    names = set(diagnostics.block_norms(dict(tiny_unet().named_parameters())))
    assert {"body.down_blocks.0", "body.up_blocks.1", "body.middle_block"} <= names, names


def test_training_does_not_notice(tmp_path, store):
    config = tiny_config(store, updates=6, equal_fraction=Ramp(1.0, 0.5, 0.5, 0.5))
    fit.run(config, tmp_path / "off")
    fit.run(replace(config, diagnostics=Diagnostics(every=2, batch=4)), tmp_path / "on")
    off, on = (read_checkpoint(tmp_path / n / "checkpoints" / "last.ckpt") for n in ("off", "on"))
    assert [r["raw"] for r in off["state"]["rows"]] == [r["raw"] for r in on["state"]["rows"]]
    assert all(torch.equal(v, on["network"][k]) for k, v in off["network"].items())
    assert not (tmp_path / "off" / "diagnostics.csv").exists()
    rows = list(csv.DictReader((tmp_path / "on" / "diagnostics.csv").read_text().splitlines()))
    assert [int(r["update"]) for r in rows] == [2, 4, 6]
    assert {r["share_equal"] for r in rows} == {"0.5"}
    last = json.loads((tmp_path / "on" / "diagnostics" / "update-00000006.json").read_text())
    assert last["change/body.conv_in"] > 0
    assert last["gradient/body.conv_in"] > 0
    assert 0 < last["ema_distance"] < 1
