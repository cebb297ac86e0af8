"""Checkpoints: whole, pruned, read without running code, of this run alone."""

import os
import pickle
from dataclasses import asdict, replace

import pytest
import torch

from conftest import STORE_VAE, tiny_unet
from neuromf.config import ConfigError
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import VAEIdentity
from neuromf.nets.weights import WeightsError
from neuromf.training import fit
from neuromf.training.checkpoint import Origin, Saver, check_same_run, read_checkpoint, recorded
from neuromf.training.config import Checkpoints, Samples, Slurm
from neuromf.training.meter import Meter
from neuromf.training.module import MeanFlowModule
from training.conftest import tiny_config


def test_older_ones_are_deleted(tmp_path, store):
    config = tiny_config(store, updates=10, checkpoints=Checkpoints(every=2, keep=2))
    fit.run(config, tmp_path / "run")
    names = sorted(p.name for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["last.ckpt", "update-00000006.ckpt", "update-00000008.ckpt", "update-00000010.ckpt"]


def test_a_checkpoint_loads_as_weights_only(tmp_path, store):
    fit.run(tiny_config(store, updates=2), tmp_path / "run")
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["update"] == 2
    assert state["vae"] == asdict(STORE_VAE)
    assert state["provenance"]["versions"]["torch"]
    assert "latents:" in state["config"]


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "last.ckpt"
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        read_checkpoint(path)
    with path.open("wb") as stream:
        pickle.dump({"format": 1, "x": Evil()}, stream, protocol=2)
    with pytest.raises(WeightsError):
        read_checkpoint(path)
    torch.save({"x": Evil()}, path)
    with pytest.raises(WeightsError, match="could run code"):
        read_checkpoint(path)
    torch.save({"weights": torch.ones(3)}, path)
    with pytest.raises(WeightsError, match="no checkpoint"):
        read_checkpoint(path)


def test_a_truncated_one_is_refused_and_nothing_is_lost(tmp_path, store):
    config = tiny_config(store, updates=4, checkpoints=Checkpoints(every=2, keep=1))
    fit.run(config, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "last.ckpt"
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="not readable"):
        fit.run(config, tmp_path / "run", resume=True)
    os.replace(tmp_path / "run" / "checkpoints" / "update-00000004.ckpt", path)
    fit.run(config, tmp_path / "run", resume=True)


def test_saving_is_whole_or_not_at_all(tmp_path, store, monkeypatch):
    config = tiny_config(store)
    module = MeanFlowModule(tiny_unet(torch.float32), config)
    monkeypatch.setattr(module, "state", lambda: {"update": 3})
    saver = Saver(
        tmp_path, config, Origin(STORE_VAE, LatentStats.load(store), (2.0, 2.0, 2.0)), Meter(tmp_path, config)
    )
    saver.save(module)

    def broken(state, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(OSError, match="No space"):
        saver.save(module)
    assert read_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["update"] == 3
    assert not list((tmp_path / "checkpoints").glob(".*"))


def test_another_run_is_refused(store):
    config = tiny_config(store)
    state = {"vae": asdict(STORE_VAE), "config": recorded(config)}
    check_same_run(state, replace(config, loaders=2, launch="print", slurm=Slurm("gpu")), STORE_VAE, "here")
    with pytest.raises(ValueError, match="give the latents that the run began with"):
        check_same_run(state, config, VAEIdentity("other", "b" * 64, 4, 4), "here")
    with pytest.raises(ConfigError, match="the checkpoint was started with another configuration .*accumulate"):
        check_same_run(state, replace(config, accumulate=2), STORE_VAE, "here")
    with pytest.raises(ConfigError, match="'n': 3"):
        check_same_run(state, replace(config, samples=Samples(n=3)), STORE_VAE, "here")
