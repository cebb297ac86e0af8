"""The v-loss: least for the true velocity, whose loss is known, whatever the batches."""

import math

import pytest
import torch

from neuromf.metrics.velocity import TIMES, mean_ratio, velocity_loss

SHAPE = (2, 6, 6, 6)


def drawn(n, seed):
    return torch.randn(n, *SHAPE, generator=torch.Generator().manual_seed(seed))


def of_gaussian(std):
    """The velocity of data N(0, std²), in closed form."""

    def velocity(z, t):
        t = t.view(-1, 1, 1, 1, 1)
        a = 1 - t
        return z * (t - a * std**2) / (a * a * std**2 + t * t)

    return velocity


def test_the_true_velocity_has_the_loss_that_theory_gives():
    """The variance of noise - x given z_t: s² / ((1 - t)² s² + t²)."""
    s, noise = 0.3, drawn(60, 1)
    losses = velocity_loss(of_gaussian(s), s * drawn(60, 0), noise)
    for t in TIMES:
        assert losses[t] == pytest.approx(s**2 / ((1 - t) ** 2 * s**2 + t**2), rel=0.03)


def test_every_other_velocity_has_a_larger_loss():
    x, noise = 0.3 * drawn(60, 0), drawn(60, 1)
    right, wrong = (velocity_loss(of_gaussian(s), x, noise) for s in (0.3, 0.5))
    assert all(wrong[t] > right[t] for t in TIMES)
    assert mean_ratio(wrong, right) > 1 > mean_ratio(right, wrong)


def test_batches_change_nothing():
    x, noise = drawn(5, 0), drawn(5, 1)
    whole, parts = (velocity_loss(of_gaussian(1), x, noise, batch=b) for b in (5, 2))
    assert whole == pytest.approx(parts, rel=1e-6)


def test_the_mean_ratio_counts_every_time_alike():
    reference = {0.1: 100.0, 0.9: 0.01}
    assert mean_ratio({0.1: 200.0, 0.9: 0.005}, reference) == pytest.approx(1)
    assert mean_ratio({0.1: 50.0, 0.9: 0.005}, reference) == pytest.approx(0.5)
    assert mean_ratio(reference, reference) == 1
    assert math.isnan(mean_ratio({0.1: math.nan, 0.9: 1.0}, reference))
    assert mean_ratio({0.1: math.inf, 0.9: 1.0}, reference) == math.inf


def test_refused():
    with pytest.raises(ValueError, match="one shape, with a sample or more"):
        velocity_loss(of_gaussian(1), drawn(2, 0), drawn(3, 0))
    with pytest.raises(ValueError, match="equal times"):
        mean_ratio({0.1: 1.0}, {0.2: 1.0})
