"""What the observers of a run are made of."""

import pytest
import torch

from neuromf.training import command
from neuromf.training.config import Diagnostics, Evaluation
from neuromf.training.data import Data
from training.support import latent_store, tiny_config


def watched(config, out):
    data = Data.read(config)
    return command.watched(config, data, torch.device("cpu"), out)


def test_an_epoch_is_over_all_processes(tmp_path, store):
    config = tiny_config(store, batch=2, accumulate=2, devices=2)
    assert watched(config, tmp_path).epoch == 3  # 18 latents in global batches of 8


def test_the_vae_waits_off_the_accelerator(tmp_path, vae_folder, decodable):
    """It is loaded where there is room, whatever trains."""
    config = tiny_config(decodable, vae=str(vae_folder))
    run = command.watched(config, Data.read(config), torch.device("cuda"), tmp_path)
    assert run.vae.device == torch.device("cpu")
    assert {p.device.type for p in run.vae.network.parameters()} == {"cpu"}


def test_without_its_vae_pictures_show_latents(tmp_path, store, capsys):
    assert watched(tiny_config(store), tmp_path).vae is None
    assert "pictures show latents, not brains" in capsys.readouterr().out
    with pytest.raises(ValueError, match="fingerprint"):
        watched(tiny_config(store, vae="small"), tmp_path).vae  # noqa: B018


def test_observers_that_have_nothing_to_do_are_left_out(tmp_path, store, capsys):
    def names(config):
        run = watched(config, tmp_path)
        return [type(c).__name__ for make in command.OBSERVERS for c in make(run)]

    assert names(tiny_config(store)) == ["DivergenceGuard", "SameWeights", "Previews"]
    looked = tiny_config(
        store, diagnostics=Diagnostics(every=2, batch=2), evaluation=Evaluation(every=2)
    )
    every = ["DivergenceGuard", "SameWeights", "DiagnosticsCallback", "Validation", "Previews"]
    assert names(looked) == every
    alone = latent_store(tmp_path / "latents", n=4, val=0)
    assert "Validation" not in names(tiny_config(alone, evaluation=Evaluation(every=2)))
    assert "nothing is evaluated in training" in capsys.readouterr().out
