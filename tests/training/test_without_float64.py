"""Training and generation touch no float64 on the device: Apple's GPUs have none."""

from types import SimpleNamespace

import pytest
import torch

from neuromf.flow.sampler import sample
from neuromf.latents.dataset import LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.metrics.velocity import velocity_loss
from neuromf.runtime import device as devices
from neuromf.training.batches import Batches
from neuromf.training.command import loop_of
from runtime.support import AWAY, AnotherDevice, Away
from support import tiny_unet
from training.support import tiny_config


def step(config, device):
    """An update as the loop makes it, without Lightning's trainer."""
    batches = Batches(LatentDataset(LatentStore(config.latents)), config)
    loop = loop_of(config, tiny_unet(torch.float32).to(device))
    optimiser = torch.optim.AdamW(loop.network.parameters(), lr=1e-3)
    loop._device = device
    loop.optimizers, loop.lr_schedulers = lambda: optimiser, lambda: SimpleNamespace(step=int)
    loop.manual_backward = lambda loss: loss.backward()
    loop._trainer = SimpleNamespace(strategy=None)
    done = loop.training_step([b.to(device) for b in batches[0]], 0)
    return done["sums"], sample(loop.average.to(device), batches[1][0].noise.to(device), 2)


def test_float64_is_on_the_device_or_on_the_cpu():
    x = torch.rand(3)
    assert torch.equal(devices.float64(x), x.double())
    with AnotherDevice():
        away = x.to(AWAY)
        assert away.device.type == "mps"
        assert (2 * away).device.type == "mps"
        found = devices.float64(away)
        assert found.device.type == "cpu"
        assert torch.equal(found, x.double())
        with pytest.raises(TypeError, match="float64"):
            away.double()
        with pytest.raises(TypeError, match="float64"):
            torch.zeros((), dtype=torch.float64, device=AWAY)


@pytest.mark.parametrize("jvp", ["two-stream", "exact", "finite"])
def test_an_update_and_a_sample(store, jvp):
    config = tiny_config(store)
    objective = type(config.objective)(predict="x", jvp=jvp, weight_power=0.5)
    config = type(config)(**{**vars(config), "objective": objective})
    sums, drawn = step(config, torch.device("cpu"))
    with AnotherDevice():
        others, redrawn = step(config, AWAY)
        assert isinstance(redrawn, Away)
        assert not isinstance(others, Away)
    assert others.dtype == torch.float64
    assert torch.equal(others, sums)
    assert torch.equal(redrawn.as_subclass(torch.Tensor), drawn)


def test_the_loss_of_the_velocity():
    x, noise = torch.randn(2, 3, 1, 4, 4, 4)
    expected = velocity_loss(lambda z, t: 0 * z, x, noise)
    with AnotherDevice():
        assert velocity_loss(lambda z, t: 0 * z, x, noise, device=AWAY) == expected
