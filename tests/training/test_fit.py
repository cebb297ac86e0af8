"""The verb: a run that is stopped and goes on equals one that was not, bit for bit; odd data are refused in words."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neuromf.flow import MeanFlow, Ramp, TimeSampler
from neuromf.run import Stopped
from neuromf.training import fit
from neuromf.training.checkpoint import read_checkpoint
from neuromf.training.config import Checkpoints, Diagnostics, Evaluation, Samples
from training.conftest import latent_store, tiny_config


def losses(out):
    return [row["raw"] for row in read_checkpoint(out / "checkpoints" / "last.ckpt")["rows"]]


def same_state(a, b):
    """Assert that two checkpoints hold the same bits."""
    a, b = (read_checkpoint(out / "checkpoints" / "last.ckpt") for out in (a, b))
    assert a["update"] == b["update"]
    for part in ("network", "averages", "optimiser"):
        x, y = flat(a[part]), flat(b[part])
        assert x.keys() == y.keys()
        for key, value in x.items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value, y[key]), (part, key)
            else:
                assert value == y[key], (part, key)


def flat(tree, prefix=""):
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in flat(value, f"{prefix}/{key}").items()}
    if isinstance(tree, list | tuple):
        return {k: v for i, value in enumerate(tree) for k, v in flat(value, f"{prefix}/{i}").items()}
    return {prefix: tree}


class StopAfter(fit.Saver):
    """Asks for a stop after an update, as a signal would."""

    update = 0

    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        self.asked = self.asked or module.update >= StopAfter.update
        super().on_train_batch_end(trainer, module, outputs, batch, number)


@pytest.mark.parametrize("loaders", [0, 1])
def test_resume_is_exact(tmp_path, store, monkeypatch, loaders):
    config = tiny_config(store, updates=9, accumulate=2, loaders=loaders)
    config = replace(config, equal_fraction=Ramp(1.0, 0.5, 0.2, 0.6), augmentation=fit_augmentation())
    fit.run(config, tmp_path / "whole")
    for update in (2, 5):
        monkeypatch.setattr(StopAfter, "update", update)
        monkeypatch.setattr(fit, "Saver", StopAfter)
        with pytest.raises(Stopped):
            fit.run(config, tmp_path / "parts", resume=True)
        monkeypatch.undo()
    fit.run(config, tmp_path / "parts", resume=True)
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    same_state(tmp_path / "parts", tmp_path / "whole")


def fit_augmentation():
    from neuromf.latents.dataset import LatentAugmentation

    return LatentAugmentation(flip=True, noise=0.05, scale=0.05)
