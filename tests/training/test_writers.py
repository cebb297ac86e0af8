"""TensorBoard and Weights & Biases get what log.csv and samples/ hold."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from neuromf.training import command as fit
from neuromf.training.config import Samples
from neuromf.training.writers import WANDB_ID, check_project, writers
from training.support import tiny_config


def test_tensorboard_reads_back_numbers_and_pictures(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (writer,) = writers(tmp_path, 0, "")
    writer.add_scalar("train/raw", 2.5, 3)
    writer.add_image("samples", np.full((4, 6, 3), 200, np.uint8), 3, dataformats="HWC")
    writer.close()
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/raw")] == [(3, 2.5)]
    assert (events.Images("samples")[0].width, events.Images("samples")[0].height) == (6, 4)


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed")
def test_without_the_package_a_project_is_refused_before_anything_is_made(tmp_path, store):
    check_project("")
    with pytest.raises(ValueError, match="wandb=brains needs Weights & Biases.*pip install wandb"):
        fit.run(replace(tiny_config(store), wandb="brains"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_goes_on_in_its_own_run_of_the_project(tmp_path, store, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = replace(
        tiny_config(store, updates=2, samples=Samples(every=1, n=1, nfe=(1,))), wandb="brains"
    )
    fit.run(config, tmp_path / "run")
    known = (tmp_path / "run" / WANDB_ID).read_text(encoding="utf-8")
    assert list((tmp_path / "run" / "wandb").glob(f"offline-run-*-{known}"))
    fit.run(config, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / WANDB_ID).read_text(encoding="utf-8") == known
    assert wandb.run is None
