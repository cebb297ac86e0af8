import json
import shutil
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.flow import MeanFlow
from neuromf.nets import DualTimeUNet
from neuromf.training import command as fit
from neuromf.training.start import first_network, start_model
from support import STORE_VAE
from training.support import tiny_config


@pytest.fixture(scope="module")
def model(tmp_path_factory, store):
    return fit.run(tiny_config(store, updates=1), tmp_path_factory.mktemp("start") / "run")


def test_the_weights_are_the_models(store, model):
    config = tiny_config(store, start=str(model))
    chosen = start_model(config, image_of(STORE_VAE))
    network = first_network(config, image_of(STORE_VAE))
    assert all(
        torch.equal(v, chosen.network.state_dict()[k]) for k, v in network.state_dict().items()
    )
    assert start_model(tiny_config(store), image_of(STORE_VAE)) is None
    assert isinstance(first_network(tiny_config(store), image_of(STORE_VAE)), DualTimeUNet)


def test_of_other_latents_or_another_prediction(store, model, tmp_path):
    config = tiny_config(store, start=str(model))
    with pytest.raises(ValueError, match="encode with the same VAE"):
        start_model(config, image_of(LatentSpace("other", "b" * 64, 4, 4)))
    with pytest.raises(ValueError, match="set objective.predict=x"):
        start_model(
            replace(config, objective=MeanFlow(predict="u", jvp="two-stream")), image_of(STORE_VAE)
        )
    folder = shutil.copytree(model, tmp_path / "model")
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | {"format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        start_model(replace(config, start=str(folder)), image_of(STORE_VAE))
