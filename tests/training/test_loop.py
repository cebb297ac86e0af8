"""The loop: what an update does to weights, averages and count."""

from dataclasses import replace

import torch

from neuromf.latents.dataset import LatentDataset
from neuromf.latents.store import LatentStore
from neuromf.nets.ema import ema_decay
from neuromf.training.batches import Batches, loader
from neuromf.training.command import loop_of
from neuromf.training.loop import Hardware, fit
from support import tiny_unet
from training.support import tiny_config


def trained(network, config):
    """Train with the loop and nothing that watches it."""
    batches = Batches(LatentDataset(LatentStore(config.latents)), config)
    loop = loop_of(config, network)
    fit(loop, lambda rank, processes: loader(batches, 0), Hardware(torch.device("cpu")))
    return loop


def by_hand(network, config):
    """The same training as a plain loop."""
    batches = Batches(LatentDataset(LatentStore(config.latents)), config)
    optimiser = torch.optim.AdamW(
        network.parameters(), betas=config.optimiser.betas, weight_decay=0.0
    )
    average = {k: v.clone() for k, v in network.state_dict().items()}
    for update in range(config.updates):
        for micro in range(config.accumulate):
            batch = batches.batch(update, micro)
            loss = config.objective.loss(batch.terms(config.objective, network))
            (loss.total / config.accumulate).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.optimiser.clip)
        optimiser.param_groups[0]["lr"] = config.optimiser.lr * config.optimiser.factor(
            update, config.updates
        )
        optimiser.step()
        optimiser.zero_grad()
        for key, value in network.state_dict().items():
            average[key].lerp_(value, 1 - ema_decay(config.ema[0], update + 1))
    return average


def test_training_equals_a_plain_loop(store):
    config = tiny_config(store, accumulate=3, updates=4)
    loop = trained(tiny_unet(torch.float32), config)
    reference = tiny_unet(torch.float32)
    average = by_hand(reference, config)
    assert loop.state.update == 4
    for (name, a), b in zip(loop.network.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    for key, value in loop.average.state_dict().items():
        torch.testing.assert_close(value, average[key], msg=key)


def test_rectified_flow_equals_five_lines(store):
    config = replace(tiny_config(store), updates=3)
    times = replace(config.times, equal_fraction=1.0)
    config = replace(
        config, times=times, objective=replace(config.objective, jvp="none", weight_power=0.0)
    )
    loop = trained(tiny_unet(torch.float32), config)
    network = tiny_unet(torch.float32)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0
    )
    batches = Batches(LatentDataset(LatentStore(store)), config)
    for batch in (batches.batch(i, 0) for i in range(3)):
        x, noise, t = batch.x, batch.noise, batch.t
        s = t.view(-1, 1, 1, 1, 1)
        z = (1 - s) * x + s * noise
        velocity = (z - network(z, t, t)) / s
        loss = ((velocity - (noise - x)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    for (name, a), b in zip(loop.network.named_parameters(), network.parameters(), strict=True):
        torch.testing.assert_close(a, b, msg=name, rtol=1e-4, atol=1e-6)


def test_a_gradient_that_is_not_finite_moves_nothing(store):
    """The data overflow inside the network; weights stay, the update is counted."""
    config = tiny_config(store, updates=1)
    network = tiny_unet(torch.float32)
    with torch.no_grad():
        network.body.conv_in.conv.bias[0] = torch.inf
    before = {k: v.clone() for k, v in network.state_dict().items()}
    loop = trained(network, config)
    assert loop.state.update == 1
    assert loop.state.skipped == 1
    assert all(torch.equal(v, before[k]) for k, v in loop.network.state_dict().items())


def test_several_averages(store):
    config = tiny_config(store, ema=(0.5, 0.99), updates=30)
    loop = trained(tiny_unet(torch.float32), config)
    start, now = tiny_unet(torch.float32).state_dict(), loop.network.state_dict()

    def lag(decay):
        state = loop.averages[decay].module.state_dict()
        return sum(float((state[k] - now[k]).norm()) for k in now) / sum(
            float((start[k] - now[k]).norm()) for k in now
        )

    assert 0 < lag(0.5) < lag(0.99) < 1
    assert loop.average is loop.averages[0.5].module


def test_each_process_asks_for_its_own_batches(store):
    """By the rank that Lightning gives it, which it knows of every kind of cluster."""
    config, asked = tiny_config(store, updates=1), []
    own = Batches(LatentDataset(LatentStore(config.latents)), config)

    def batches(rank, processes):
        asked.append((rank, processes))
        return loader(own, 0)

    fit(loop_of(config, tiny_unet(torch.float32)), batches, Hardware(torch.device("cpu")))
    assert asked == [(0, 1)]
