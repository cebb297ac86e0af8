from itertools import pairwise

import pytest
import torch

from generation.support import SHAPE, model_config
from neuromf.autoencoder.load import load_vae
from neuromf.generation.deployed import Decoder, Step, without_encoder
from neuromf.generation.generator import Generator, noise_of
from neuromf.generation.model import load_model
from neuromf.nets.variables import Conditions, Variable


@pytest.fixture(scope="module")
def model(model_folder):
    return load_model(model_folder)


@pytest.mark.parametrize("nfe", [1, 3])
def test_steps_and_decoder_are_the_generator(model, nfe):
    step, decoder = Step(model.network, model.config), Decoder(model.load_vae("cpu"), model.config)
    generator = Generator(model, "cpu")
    z = noise_of(SHAPE, 4, 0)
    times = torch.linspace(1, 0, nfe + 1).reshape(-1, 1)
    with torch.no_grad():
        for t, r in pairwise(times):
            z = step(z, t, r)
        volume = decoder(z)[0, 0].numpy()
    expected = generator.decode(generator.latent(4, nfe))
    assert volume == pytest.approx(expected.voxels, abs=1e-5)
    assert expected.voxels.max() > 0


def test_conditions_follow_the_times_by_their_names(vae_folder):
    conditions = Conditions((Variable("age", (), 20, 80), Variable("sex", ("F", "M"))))
    config = model_config(vae_folder, conditions=conditions)
    torch.manual_seed(0)
    network = config.build()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    step = Step(network, config)
    assert step.names == ("age", "sex")
    noise, t, r, *null = step.example()
    known = {"age": torch.tensor([40.0]), "sex": torch.tensor([1.0])}
    with torch.no_grad():
        asked = step(noise, t, r, *known.values())
        torch.testing.assert_close(asked, network(noise, t, r, known))
        assert not torch.allclose(asked, step(noise, t, r, *null))


def test_a_decoder_alone_has_no_weights_of_the_encoder(vae_folder):
    vae = load_vae(str(vae_folder), "cpu")
    z = torch.randn(1, vae.channels, 4, 4, 4)
    stripped = without_encoder(vae)
    assert set(stripped.state_dict()) == {
        key for key in vae.network.state_dict() if key.startswith(vae.decoder)
    }
    assert torch.equal(stripped.decode(z), vae.decode(z))
