"""The check before a run finds a wrong derivative, and says what is known to fail."""

from dataclasses import replace

import pytest
import torch

from neuromf.autoencoder.frozen import FrozenVAE
from neuromf.flow import MeanFlow, TimeSampler, jvp
from neuromf.nets import BRAIN, DualTimeUNet
from neuromf.runtime.config import load
from neuromf.training.config import TrainConfig
from neuromf.training.preflight import (
    PreflightError,
    check_derivative,
    kept_bytes,
    memory_gb,
    step_memory,
    warnings,
    with_random_weights,
)
from support import TINY, tiny_unet, tiny_vae_network
from training.support import tiny_config

SHAPE = (4, 8, 8, 8)


@pytest.mark.parametrize("way", ["exact", "two-stream", "finite"])
def test_the_derivative_of_a_new_network_is_checked(store, way):
    """On a copy with weights at random: the network itself returns zeros."""
    config = tiny_config(store, objective=MeanFlow(jvp=way))
    network = DualTimeUNet(TINY)
    assert check_derivative(network, config, SHAPE) < 1e-3
    assert all(p.abs().sum() == 0 for p in network.body.out[2].parameters())
    output = with_random_weights(network)(torch.randn(1, *SHAPE), torch.ones(1), torch.zeros(1))
    assert output.std() > 1e-2


def test_bf16_is_held_to_its_own_bound(store):
    config = tiny_config(store, precision="bfloat16")
    assert 1e-3 < check_derivative(DualTimeUNet(TINY), config, SHAPE) < 0.15


def test_a_wrong_derivative_stops_the_run(store, monkeypatch):
    def doubled(*arguments):
        prediction, head, rate = jvp.two_stream(*arguments)
        return prediction, head, 2 * rate

    monkeypatch.setitem(jvp.WAYS, "two-stream", doubled)
    with pytest.raises(PreflightError, match="1e[+]02 %"):
        check_derivative(DualTimeUNet(TINY), tiny_config(store), SHAPE)


def test_memory_grows_with_batch_and_size(store):
    network, config = tiny_unet(torch.float32), tiny_config(store)
    small = memory_gb(network, config, SHAPE)
    assert memory_gb(network, replace(config, batch=64), SHAPE) > 8 * small
    assert memory_gb(network, config, (4, 16, 16, 16)) > 2 * small
    lean = replace(config, network=replace(config.network, checkpointing=True))
    assert memory_gb(network, lean, SHAPE) < small


def test_memory_counts_what_a_step_evaluates_besides(store):
    config = tiny_config(store)
    both = replace(config, objective=replace(config.objective, flow_weight=1.0))
    kept, more = (step_memory(0, c, SHAPE)[1] for c in (config, both))
    own = kept_bytes(config.network, SHAPE, config.precision)[1] / 1e9
    share = 1 - config.times.equal_fraction  # of samples with r < t, which have u(z, t, t) too
    assert 0 < share < 1
    assert more - kept == pytest.approx(share * own, rel=1e-6)


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


def test_warnings(store):
    config = tiny_config(store, updates=100_000, ema=(0.999,))
    assert warnings(config, SHAPE, 10) == []
    assert (
        "averages over 10000 updates"
        in warnings(replace(config, ema=(0.9999,), updates=1000), SHAPE, 10)[0]
    )
    assert (
        "endpoint"
        in warnings(replace(config, times=TimeSampler(endpoint_fraction=0)), SHAPE, 10)[0]
    )
    assert "du/dt explodes" in warnings(config, (4, 20, 24, 20), 10)[0]
    assert warnings(replace(config, latent_scale=0.3), (4, 20, 24, 20), 10) == []
    assert "one subject" in warnings(config, SHAPE, 1)[0]


@pytest.mark.parametrize("updates", [1, 4, 40, 100, 400, 5000, 100_000])
def test_the_average_that_is_advised_raises_no_warning_itself(store, updates):
    """A decay that is too long names one that suits; that one, taken, is not complained of."""
    config = tiny_config(store, updates=updates, ema=(0.99999,))
    (said,) = [w for w in warnings(config, SHAPE, 9) if "ema=" in w]
    advised = float(said.rsplit("ema=", 1)[1].split()[0])
    assert not [w for w in warnings(replace(config, ema=(advised,)), SHAPE, 9) if "ema=" in w]
