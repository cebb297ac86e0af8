"""The check before a run finds a wrong derivative, and says what is known to fail."""

from dataclasses import replace

import pytest
import torch

from neuromf.flow import MeanFlow, TimeSampler, jvp
from neuromf.nets import DualTimeUNet
from neuromf.training.distillation import Distillation
from neuromf.training.preflight import (
    PreflightError,
    check_derivative,
    warnings,
    with_random_weights,
)
from support import TINY
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


def test_what_takes_no_derivative_is_not_held_to_one(store):
    """With sinusoids as fast as MAISI's, a central difference says nothing of a derivative."""
    fast = replace(TINY, highest_frequency=1000.0)
    config = tiny_config(store, network=fast)
    with pytest.raises(PreflightError):
        check_derivative(DualTimeUNet(fast), config, SHAPE)
    taught = replace(config, teacher="x", distillation=Distillation("trajectory"))
    assert check_derivative(DualTimeUNet(fast), taught, SHAPE) == 0


@pytest.mark.parametrize("updates", [1, 30, 1000, 100_000, 400_000, 500_000, 10**7, 10**12])
def test_the_decay_that_is_proposed_is_one_that_suits(store, updates):
    config = tiny_config(store, updates=updates, ema=(1 - 1e-15,))
    (said,) = [line for line in warnings(config, SHAPE) if line.startswith("ema=")]
    decay = float(said.split(": ")[1].split("ema=")[1].split()[0])
    assert not any(
        line.startswith("ema=") for line in warnings(replace(config, ema=(decay,)), SHAPE)
    )


def test_warnings(store):
    config = tiny_config(store, updates=100_000, ema=(0.999,))
    assert warnings(config, SHAPE) == []
    assert (
        "averages over 10000 updates"
        in warnings(replace(config, ema=(0.9999,), updates=1000), SHAPE)[0]
    )
    assert "endpoint" in warnings(replace(config, times=TimeSampler(endpoint_fraction=0)), SHAPE)[0]
    assert "du/dt explodes" in warnings(config, (4, 20, 24, 20))[0]
    assert warnings(replace(config, latent_scale=0.3), (4, 20, 24, 20)) == []


@pytest.mark.parametrize("updates", [1, 4, 40, 100, 400, 5000, 100_000])
def test_the_average_that_is_advised_raises_no_warning_itself(store, updates):
    """A decay that is too long names one that suits; that one, taken, is not complained of."""
    config = tiny_config(store, updates=updates, ema=(0.99999,))
    (said,) = [w for w in warnings(config, SHAPE) if "ema=" in w]
    advised = float(said.rsplit("ema=", 1)[1].split()[0])
    assert not [w for w in warnings(replace(config, ema=(advised,)), SHAPE) if "ema=" in w]
