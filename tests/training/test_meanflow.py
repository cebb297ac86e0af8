"""Sums over batches and processes, and the means that the log shows of them."""

import math

import pytest
import torch

from neuromf.flow import MeanFlow
from neuromf.training.batches import Batch
from neuromf.training.meanflow import MeanFlowTask
from support import batch, tiny_unet


def parts(x, noise, t, r, task):
    own = Batch(x, noise, t, r)
    return task.loss(own)[1], task.objective.loss(own.terms(task.objective, task.network))


def test_means_of_parts_are_the_mean_of_the_whole():
    task = MeanFlowTask(tiny_unet(v_head_blocks=1), MeanFlow(weight_power=0.5))
    x, noise, t, r = batch(6, 4, 4, 4, 4)
    x[5] = torch.nan
    whole, loss = parts(x, noise, t, r, task)
    rows = [slice(0, 1), slice(1, 3), slice(3, 6)]
    summed = sum(parts(x[i], noise[i], t[i], r[i], task)[0] for i in rows)
    torch.testing.assert_close(summed, whole)
    row = task.means(whole.tolist())
    assert row["raw"] == pytest.approx(loss.raw.item())
    assert row["raw_equal"] == pytest.approx(loss.raw_equal.item())
    assert row["raw_interval"] == pytest.approx(loss.raw_interval.item())
    assert row["raw_head"] == pytest.approx(loss.raw_head.item())
    assert row["raw_channel_3"] == pytest.approx(loss.channels[3].item())
    assert row["nonfinite_samples"] == 1


def test_no_row_of_a_kind_gives_nan():
    task = MeanFlowTask(tiny_unet(), MeanFlow(jvp="none"))
    x, noise, t, _ = batch(2, 4, 4, 4, 4)
    row = task.means(parts(x, noise, t, t, task)[0].tolist())
    assert math.isnan(row["raw_interval"])
    assert row["raw"] == row["raw_equal"]


def test_what_is_masked_does_not_count():
    """P4d-T16 in small: the loss is that of the voxels that stay, whatever the others are."""
    task = MeanFlowTask(tiny_unet(), MeanFlow(jvp="none"))
    x, noise, t, _ = batch(2, 4, 4, 4, 4)
    mask = torch.ones(2, 1, 4, 4, 4, dtype=x.dtype)
    whole = task.loss(Batch(x, noise, t, t))
    torch.testing.assert_close(task.loss(Batch(x, noise, t, t, mask=mask)), whole)

    mask[:, :, :2] = 0
    own = Batch(x, noise, t, t, mask=mask)
    terms = own.terms(task.objective, task.network)
    error = (terms.compound - terms.target)[:, :, 2:].square().mean((2, 3, 4)).sum(1)
    row = task.means(task.loss(own)[1].tolist())
    assert row["raw"] == pytest.approx(error.mean().item())
    assert row["raw"] != pytest.approx(task.means(whole[1].tolist())["raw"], rel=1e-3)
