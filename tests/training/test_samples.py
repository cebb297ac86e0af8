"""Samples while training: the averaged weights, the same noise, files whose content is known."""

import json

import torch
from safetensors.torch import load_file

from conftest import tiny_unet
from neuromf.generate.generator import noise_of
from neuromf.latents.statistics import LatentStats
from neuromf.training.meter import Meter
from neuromf.training.module import MeanFlowModule
from neuromf.training.samples import SampleLook, moments
from training.conftest import SIZE, tiny_config


def test_one_call_is_the_averaged_networks_own_output(tmp_path, store):
    config = tiny_config(store)
    module = MeanFlowModule(tiny_unet(torch.float32), config, update=7)
    with torch.no_grad():
        for p in module.network.parameters():
            p.mul_(0.5)  # the average stays
    SampleLook(Meter(tmp_path, config, [], []), tmp_path, config, LatentStats.load(store), None).look(module)
    drawn = load_file(tmp_path / "samples" / "update-00000007.safetensors")
    noise = torch.cat([noise_of(SIZE, i, config.seed) for i in range(2)])
    expected = module.average(noise, torch.ones(2), torch.zeros(2))
    torch.testing.assert_close(drawn["calls_1"], expected)
    assert drawn["calls_2"].shape == (2, *SIZE)
    record = json.loads((tmp_path / "samples" / "update-00000007.json").read_text())
    assert record["calls_1"] == moments(drawn["calls_1"])
    assert (tmp_path / "samples" / "update-00000007.png").is_file()


def test_moments():
    z = torch.randn(50, 4, 6, 6, 6) * torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1, 1) + 7
    values = moments(z)
    assert abs(values["mean_2"] - 7) < 0.1
    assert abs(values["std_3"] - 4) < 0.1
