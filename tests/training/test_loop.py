"""The module: what an update does to weights, averages and count."""

from dataclasses import replace

import pytorch_lightning as pl
import torch

from neuromf.latents.dataset import LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.nets.ema import ema_decay
from neuromf.training import command as fit
from neuromf.training.batches import Batches, loader
from neuromf.training.loop import MeanFlowModule
from support import tiny_unet
from training.support import tiny_config


def trained(module, config):
    """Train with Lightning and nothing else."""
    batches = Batches(LatentDataset(LatentStore(config.latents)), config)
    with fit.quiet():
        pl.Trainer(**fit.trainer_options(config, torch.device("cpu"))).fit(
            module, loader(batches, 0)
        )
    return module


def by_hand(network, config):
    """The same training as a plain loop."""
    batches = Batches(LatentDataset(LatentStore(config.latents)), config)
    optimiser = torch.optim.AdamW(
        network.parameters(), betas=config.optimiser.betas, weight_decay=0.0
    )
    average = {k: v.clone() for k, v in network.state_dict().items()}
    for update in range(config.updates):
        for micro in range(config.accumulate):
            batch = batches[update * config.accumulate + micro]
            loss = config.objective.loss(config.objective.terms(network, *batch))
            (loss.total / config.accumulate).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.optimiser.clip)
        optimiser.param_groups[0]["lr"] = config.optimiser.rate(update, config.updates)
        optimiser.step()
        optimiser.zero_grad()
        for key, value in network.state_dict().items():
            average[key].lerp_(value, 1 - ema_decay(config.ema[0], update + 1))
    return average


def test_training_equals_a_plain_loop(store):
    config = tiny_config(store, accumulate=3, updates=4)
    module = trained(MeanFlowModule(tiny_unet(torch.float32), config), config)
    reference = tiny_unet(torch.float32)
    average = by_hand(reference, config)
    assert module.update == 4
    for (name, a), b in zip(module.network.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    for key, value in module.average.state_dict().items():
        torch.testing.assert_close(value, average[key], msg=key)


def test_rectified_flow_equals_five_lines(store):
    config = fit.replace(tiny_config(store), updates=3)
    times = replace(config.times, equal_fraction=1.0)
    config = replace(
        config, times=times, objective=replace(config.objective, jvp="none", weight_power=0.0)
    )
    module = trained(MeanFlowModule(tiny_unet(torch.float32), config), config)
    network = tiny_unet(torch.float32)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0
    )
    for x, noise, t, _ in (Batches(LatentDataset(LatentStore(store)), config)[i] for i in range(3)):
        s = t.view(-1, 1, 1, 1, 1)
        z = (1 - s) * x + s * noise
        velocity = (z - network(z, t, t)) / s
        loss = ((velocity - (noise - x)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    for (name, a), b in zip(module.network.named_parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name, rtol=1e-4, atol=1e-6)


def test_a_gradient_that_is_not_finite_moves_nothing(store):
    """The data overflow inside the network; weights stay, the update is counted."""
    config = tiny_config(store, updates=1)
    module = MeanFlowModule(tiny_unet(torch.float32), config)
    with torch.no_grad():
        module.network.body.conv_in.conv.bias[0] = torch.inf
    before = {k: v.clone() for k, v in module.network.state_dict().items()}
    trained(module, config)
    assert module.update == 1
    assert module.skipped == 1
    assert all(torch.equal(v, before[k]) for k, v in module.network.state_dict().items())


def test_several_averages(store):
    config = tiny_config(store, ema=(0.5, 0.99), updates=30)
    module = trained(MeanFlowModule(tiny_unet(torch.float32), config), config)
    start, now = tiny_unet(torch.float32).state_dict(), module.network.state_dict()

    def lag(decay):
        state = module.averages[decay].module.state_dict()
        return sum(float((state[k] - now[k]).norm()) for k in now) / sum(
            float((start[k] - now[k]).norm()) for k in now
        )

    assert 0 < lag(0.5) < lag(0.99) < 1
    assert module.average is module.averages[0.5].module
