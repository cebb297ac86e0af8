import json
import shutil
from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.components import image_of
from neuromf.autoencoder.frozen import LatentSpace
from neuromf.flow import MeanFlow
from neuromf.nets import DualTimeUNet
from neuromf.nets.config import Precondition
from neuromf.training import command as fit
from neuromf.training.data import Data
from neuromf.training.start import first_network, start_model
from support import STORE_VAE
from training.support import tiny_config


@pytest.fixture(scope="module")
def model(tmp_path_factory, store):
    return fit.run(tiny_config(store, updates=1), tmp_path_factory.mktemp("start") / "run")


def test_the_weights_are_the_models(store, model):
    config = tiny_config(store, start=str(model))
    chosen = start_model(config, image_of(STORE_VAE))
    network = first_network(config, Data.read(config))
    assert all(
        torch.equal(v, chosen.network.state_dict()[k]) for k, v in network.state_dict().items()
    )
    assert start_model(tiny_config(store), image_of(STORE_VAE)) is None
    assert isinstance(
        first_network(tiny_config(store), Data.read(tiny_config(store))), DualTimeUNet
    )


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


def test_the_gaussian_is_that_of_the_training_latents_times_the_scale(store):
    config = replace(
        tiny_config(store),
        precondition=Precondition("gaussian"),
        objective=MeanFlow(predict="u", jvp="two-stream"),
        latent_scale=0.5,
    )
    data = Data.read(config)
    network = first_network(config, data)
    latents = torch.stack(list(data.plain()))
    assert torch.allclose(network.base.mean, 0.5 * latents.mean(0), atol=1e-5)
    total = network.base.rotation @ torch.einsum(
        "bidhw,bjdhw->ij", *[latents - latents.mean(0)] * 2
    )
    assert torch.allclose(
        total @ network.base.rotation.mT,
        (total @ network.base.rotation.mT).diag().diag(),
        atol=0.05 * float(total.abs().max()),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent_scale": 0.5}, "set latent_scale=1.0"),
        (
            {
                "precondition": Precondition("skip"),
                "objective": MeanFlow(predict="u", jvp="two-stream"),
            },
            "precondition.kind=none",
        ),
    ],
)
def test_of_another_scale_or_precondition(store, model, changes, message):
    config = replace(tiny_config(store, start=str(model)), **changes)
    with pytest.raises(ValueError, match=message):
        start_model(config, image_of(STORE_VAE))
