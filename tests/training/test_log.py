"""Means over batches and ranks, and the guard."""

import math

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.training.batches import Batch
from neuromf.training.config import Guard
from neuromf.training.log import judge, means, partial_sums
from support import batch, tiny_unet


def parts(x, noise, t, r, net, objective):
    loss = objective.loss(objective.terms(net, x, noise, t, r))
    return partial_sums(loss, Batch(x, noise, t, r)), loss


def test_means_of_parts_are_the_mean_of_the_whole():
    net, objective = tiny_unet(head_blocks=1), MeanFlow(weight_power=0.5)
    x, noise, t, r = batch(6, 4, 4, 4, 4)
    x[5] = torch.nan
    whole, loss = parts(x, noise, t, r, net, objective)
    rows = [slice(0, 1), slice(1, 3), slice(3, 6)]
    summed = sum(parts(x[i], noise[i], t[i], r[i], net, objective)[0] for i in rows)
    torch.testing.assert_close(summed, whole)
    row = means(whole.tolist())
    assert row["raw"] == pytest.approx(loss.raw.item())
    assert row["raw_equal"] == pytest.approx(loss.raw_equal.item())
    assert row["raw_interval"] == pytest.approx(loss.raw_interval.item())
    assert row["raw_head"] == pytest.approx(loss.raw_head.item())
    assert row["raw_channel_3"] == pytest.approx(loss.channels[3].item())
    assert row["nonfinite_rows"] == 1


def test_no_row_of_a_kind_gives_nan():
    net, objective = tiny_unet(), MeanFlow(jvp="none")
    x, noise, t, _ = batch(2, 4, 4, 4, 4)
    row = means(parts(x, noise, t, t, net, objective)[0].tolist())
    assert math.isnan(row["raw_interval"])
    assert row["raw"] == row["raw_equal"]


def rows(*losses):
    return [
        {"update": 10 * (i + 1), "raw": value, "nonfinite_share": 0.0}
        for i, value in enumerate(losses)
    ]


def test_guard():
    guard = Guard(factor=10, grace=20)
    assert judge(rows(1.0, 0.5, 4.9), guard) == ""
    assert "10.2 times its minimum of 0.5" in judge(rows(1.0, 0.5, 5.1), guard)
    assert judge(rows(0.5, 50.0), guard) == ""  # too early to say
    assert judge(rows(math.nan, math.nan, 5.0), guard) == ""
    assert judge(rows(1.0, 0.5, math.nan), guard) == ""
    left_out = [{"update": 10, "raw": 1.0, "nonfinite_share": 0.3}]
    assert "30 % of the rows" in judge(left_out, guard)
