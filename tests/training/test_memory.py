"""Memory is estimated before a training: what grows with what, and what was measured."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.nets import BRAIN
from neuromf.runtime.config import load
from neuromf.training import memory
from neuromf.training.config import TrainConfig
from neuromf.training.distillation import ALONE, Distillation
from neuromf.training.memory import kept_bytes, memory_gb, step_memory, step_parts
from support import tiny_unet, tiny_vae_network
from training.support import STUDENT, tiny_config

SHAPE = (4, 8, 8, 8)


def test_memory_grows_with_batch_and_size(store):
    network, config = tiny_unet(torch.float32), tiny_config(store)
    small = memory_gb(network, config, SHAPE)
    assert memory_gb(network, replace(config, batch=64), SHAPE) > 8 * small
    assert memory_gb(network, config, (4, 16, 16, 16)) > 2 * small
    lean = replace(config, network=replace(config.network, checkpointing=True))
    assert memory_gb(network, lean, SHAPE) < small


def test_an_apple_gpu_has_what_metal_lends_and_nobody_else_uses(monkeypatch):
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * 10**9)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 2 * 10**9)
    for available, expected in ((50, 10.0), (4, 4.0)):
        free = SimpleNamespace(available=available * 10**9)
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda free=free: free)
        assert memory.free_gb(torch.device("mps")) == expected


def test_parts_of_a_step_add_up(store):
    """A report shows the parts whose sum is what the preflight compares with what is free."""
    network, config = tiny_unet(torch.float32), tiny_config(store, ema=(0.9, 0.99), batch=5)
    parameters = sum(p.numel() for p in network.parameters())
    parts = step_parts(parameters, config, SHAPE)
    assert parts["averages"] == parts["optimiser"] == 2 * parts["weights"] == 8e-9 * parameters
    assert sum(parts.values()) == pytest.approx(memory_gb(network, config, SHAPE), rel=1e-6)
    resting = step_parts(parameters, config)
    assert resting == {k: v for k, v in parts.items() if k in resting}
    assert parts.keys() - resting.keys() == {"kept for backward", "in passing"}


def test_memory_counts_what_a_step_evaluates_besides(store):
    config = tiny_config(store)
    both = replace(config, objective=replace(config.objective, flow_weight=1.0))
    kept, more = (step_memory(0, c, SHAPE)[1] for c in (config, both))
    own = kept_bytes(config.network, SHAPE, config.precision)[1] / 1e9
    share = 1 - config.times.equal_fraction  # of samples with r < t, which have u(z, t, t) too
    assert 0 < share < 1
    assert more - kept == pytest.approx(share * own, rel=1e-6)


def test_memory_counts_every_pair_of_points_on_trajectories(store):
    config = tiny_config(store, objective=STUDENT, teacher="flow")
    each = [
        step_memory(0, replace(config, distillation=Distillation("trajectory", 4, pairs)), SHAPE)[1]
        for pairs in (1, 8)
    ]
    velocity = step_memory(0, replace(config, distillation=Distillation(pairs=8)), SHAPE)[1]
    assert each[1] == pytest.approx(8 * each[0], rel=1e-6)
    assert each[0] == pytest.approx(velocity, rel=1e-6)


def test_memory_counts_a_teacher_and_its_guide(store):
    """A guide that is the teacher itself has no weights of its own."""
    config = tiny_config(store, objective=STUDENT, teacher="flow")
    for guide, models in (("", 1), (ALONE, 1), ("earlier", 2)):
        wanted = Distillation(guide=guide, guidance=2.0 if guide else 1.0)
        parts = step_parts(10**6, replace(config, distillation=wanted), SHAPE)
        assert parts["teacher"] == pytest.approx(models * parts["weights"])
    assert "teacher" not in step_parts(10**6, tiny_config(store), SHAPE)
    assert "teacher" in step_parts(10**6, load(TrainConfig, ["preset=secants2mm"], "train"))


def test_memory_counts_decoding_where_it_takes_more_than_a_step(store):
    """Between steps, with weights, gradients and averages at hand."""
    network, config = tiny_unet(torch.float32), tiny_config(store)
    step = memory_gb(network, config, SHAPE)
    small, large = (FrozenVAE(tiny_vae_network(), "tiny", decode_bytes=each) for each in (1.0, 4e6))
    assert memory_gb(network, config, SHAPE, small) == step
    fixed, _ = step_memory(sum(p.numel() for p in network.parameters()), config, SHAPE)
    weights = sum(4 * p.numel() for p in large.network.parameters()) / 1e9
    expected = fixed + weights + 4e6 * 8**3 / 1e9
    assert memory_gb(network, config, SHAPE, large) == pytest.approx(expected)


def test_memory_of_the_large_network_is_what_was_measured():
    """benchmarks/results/step-brain.json: 8 latents of 4 x 24³, two-stream, float32."""
    measured = {False: (2.244, 2.975), True: (0.356, 2.163)}  # GB kept for backward, and at most
    config = load(TrainConfig, ["preset=brain192", "precision=float32"], "train")
    for checkpointing, (kept, peak) in measured.items():
        network = replace(BRAIN, checkpointing=checkpointing)
        found = kept_bytes(network, (4, 24, 24, 24), "float32")
        assert 8 * found[1] / 1e9 == pytest.approx(kept, rel=0.05)
        each = step_memory(0, replace(config, network=network), (4, 24, 24, 24))[1]
        assert 8 * each == pytest.approx(peak, rel=0.1)
