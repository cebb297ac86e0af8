"""Samples while training: the averaged weights, the same noise, files whose content is known."""

import json
from dataclasses import replace

import torch
from safetensors.torch import load_file

from neuromf.autoencoder.load import load_vae
from neuromf.generation.generator import noise_of
from neuromf.latents.statistics import LatentStats
from neuromf.training.log import Meter
from neuromf.training.loop import MeanFlowModule
from neuromf.training.previews import SampleLook, draw, moments
from support import tiny_unet
from training.support import SIZE, tiny_config


def test_one_call_is_the_averaged_networks_own_output(tmp_path, store):
    config = tiny_config(store, scale=0.5)
    module = MeanFlowModule(tiny_unet(torch.float32), config)
    module.update = 7
    with torch.no_grad():
        for p in module.network.parameters():
            p.mul_(0.5)  # the average stays
    SampleLook(Meter(tmp_path, config), tmp_path, config, LatentStats.load(store), None).look(
        module
    )
    drawn = load_file(tmp_path / "samples" / "update-00000007.safetensors")
    noise = torch.cat([noise_of(SIZE, i, config.seed) for i in range(2)])
    expected = module.average(noise, torch.ones(2), torch.zeros(2))
    torch.testing.assert_close(drawn["calls_1"], 2 * expected)
    assert drawn["calls_2"].shape == (2, *SIZE)
    record = json.loads((tmp_path / "samples" / "update-00000007.json").read_text())
    assert record["calls_1"] == moments(drawn["calls_1"])
    assert (tmp_path / "samples" / "update-00000007.png").is_file()


def test_rectified_flow_is_asked_for_its_velocity(tmp_path, store, monkeypatch):
    """Trained at r = t alone, it is sampled there."""
    config = tiny_config(store)
    times, objective = (
        replace(config.times, equal_fraction=1.0),
        replace(config.objective, jvp="none"),
    )
    config = replace(config, times=times, objective=objective)
    module = MeanFlowModule(tiny_unet(torch.float32), config)
    asked = []
    forward = type(module.network).without_head
    monkeypatch.setattr(
        type(module.network), "without_head", lambda *a: asked.append(a[2:]) or forward(*a)
    )
    draw(module, config, SIZE)
    assert len(asked) == 3
    assert all(torch.equal(t, r) for t, r in asked)


def test_a_picture_that_cannot_be_decoded_loses_no_training(
    tmp_path, store, vae_folder, monkeypatch
):
    config = tiny_config(store)
    vae = load_vae(str(vae_folder))

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(vae, "_decode", full)
    look = SampleLook(Meter(tmp_path, config), tmp_path, config, LatentStats.load(store), vae)
    look.look(MeanFlowModule(tiny_unet(torch.float32), config))
    assert look.vae is None
    assert (tmp_path / "samples" / "update-00000000.png").is_file()


def test_moments():
    z = torch.randn(50, 4, 6, 6, 6) * torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1, 1) + 7
    values = moments(z)
    assert abs(values["mean_2"] - 7) < 0.1
    assert abs(values["std_3"] - 4) < 0.1
