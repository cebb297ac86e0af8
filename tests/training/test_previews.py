"""Samples while training: the averaged weights, the same noise, files whose content is known."""

import json
import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from neuromf.autoencoder.load import load_vae
from neuromf.generation.generator import noise_of
from neuromf.latents.statistics import LatentStats
from neuromf.training.bar import Bar
from neuromf.training.command import loop_of
from neuromf.training.log import Log
from neuromf.training.previews import Previews, Sampler, difference, fixed_noise, moments
from support import tiny_unet
from training.support import SIZE, tiny_config


def previews(out, config, vae):
    stats = LatentStats.load(config.latents)
    return Previews(Log(out, 1, config.batch), Bar(), out, config, stats, vae)


def test_one_call_is_the_averaged_networks_own_output(tmp_path, store):
    config = tiny_config(store, latent_scale=0.5)
    loop = loop_of(config, tiny_unet(torch.float32))
    loop.state.update = 7
    with torch.no_grad():
        for p in loop.network.parameters():
            p.mul_(0.5)  # the average stays
    previews(tmp_path, config, None).observe(loop)
    drawn = load_file(tmp_path / "samples" / "update-00000007.safetensors")
    noise = torch.cat([noise_of(SIZE, i, config.seed) for i in range(2)])
    expected = loop.average(noise, torch.ones(2), torch.zeros(2))
    torch.testing.assert_close(drawn["calls_1"], 2 * expected)
    assert drawn["calls_2"].shape == (2, *SIZE)
    record = json.loads((tmp_path / "samples" / "update-00000007.json").read_text())
    assert record["calls_1"].items() >= moments(drawn["calls_1"]).items()
    assert record["calls_1"]["to_most_calls"] == pytest.approx(
        float((drawn["calls_1"] - drawn["calls_2"]).norm() / drawn["calls_2"].norm()), rel=1e-6
    )
    assert record["calls_2"]["to_most_calls"] == 0
    assert "since_last_look" not in record["calls_1"]
    assert (tmp_path / "samples" / "update-00000007.png").is_file()


def test_looks_are_compared_with_the_one_before_also_after_a_restart(tmp_path, store):
    config = tiny_config(store, latent_scale=0.5)
    loop = loop_of(config, tiny_unet(torch.float32))
    callback = previews(tmp_path, config, None)
    for update, again in ((7, callback), (9, callback), (9, previews(tmp_path, config, None))):
        loop.state.update = update
        with torch.no_grad():
            for p in loop.average.parameters():
                p.mul_(1.0 if again is not callback else 0.9)
        again.observe(loop)
    looks = [load_file(tmp_path / "samples" / f"update-0000000{n}.safetensors") for n in (7, 9)]
    record = json.loads((tmp_path / "samples" / "update-00000009.json").read_text())
    before, now = (look["calls_1"] for look in looks)
    assert record["calls_1"]["since_last_look"] == pytest.approx(
        float((now - before).norm() / before.norm()), rel=1e-6
    )


def test_consistency_of_a_field_whose_calls_agree_is_zero():
    """The exact field takes the same way in any number of steps; a straight one too."""
    z = torch.randn(2, 4, 3, 3, 3)
    assert difference(z, z) == 0
    assert difference(1.5 * z, z) == pytest.approx(0.5, rel=1e-6)
    assert math.isnan(difference(z, z[:1]))


def test_rectified_flow_is_asked_for_its_velocity(tmp_path, store, monkeypatch):
    """Trained at r = t alone, it is sampled there."""
    config = tiny_config(store)
    times, objective = (
        replace(config.times, equal_fraction=1.0),
        replace(config.objective, jvp="none"),
    )
    config = replace(config, times=times, objective=objective)
    network = tiny_unet(torch.float32)
    asked = []
    forward = type(network).without_head
    monkeypatch.setattr(
        type(network), "without_head", lambda *a: asked.append(a[2:]) or forward(*a)
    )
    for nfe in (1, 2):
        Sampler.of(config).draw(network, fixed_noise(SIZE, 2, 0), nfe)
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
    callback = previews(tmp_path, config, vae)
    callback.observe(loop_of(config, tiny_unet(torch.float32)))
    assert callback.vae is None
    assert (tmp_path / "samples" / "update-00000000.png").is_file()


def test_moments():
    z = torch.randn(50, 4, 6, 6, 6) * torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1, 1) + 7
    values = moments(z)
    assert abs(values["mean_2"] - 7) < 0.1
    assert abs(values["std_3"] - 4) < 0.1
