import json
import math
from dataclasses import replace

import pytest
import torch

from neuromf.torus.manifold import uniform_angles
from neuromf.torus.measure import measure
from torus.support import SHORT, TINY, TINY_BLOBS

BLOBS = replace(TINY_BLOBS, samples=200)


class Drawn(torch.nn.Module):
    """A network of one call: data at angles of its own, whatever the noise."""

    def __init__(self, manifold, factor=1.0, turn=1.0):
        super().__init__()
        self.manifold, self.factor, self.turn = manifold, factor, turn

    def forward(self, z, t, r):
        angles = self.turn * uniform_angles(len(z), torch.Generator().manual_seed(7))
        return self.factor * self.manifold.embed(angles)


class Nearest(torch.nn.Module):
    """Draws the nearest point of the data: a perfect one-step answer on the torus, at t = 1."""

    def __init__(self, manifold):
        super().__init__()
        self.manifold = manifold

    def forward(self, z, t, r):
        return self.manifold.embed(self.manifold.nearest(z).angles)


def test_perfect_samples_measure_as_perfect():
    arm = replace(SHORT, samples=4000)
    metrics, arrays = measure(arm, arm.manifold(), Nearest(arm.manifold()), seed=0)
    assert metrics["distance_1"] < 1e-6
    assert min(metrics["ks_p_angle_1"], metrics["ks_p_angle_2"]) > 0.01
    assert metrics["energy_angles_1"] < 3 * metrics["energy_angles_data"]
    assert arrays["coordinates_1"].shape == (4000, 4)


def test_noise_does_not_pass_for_samples():
    metrics, _ = measure(SHORT, SHORT.manifold(), lambda z, t, r: z, seed=0)
    assert metrics["distance_1"] > 0.5


def test_a_stray_sample_moves_the_mean_and_not_the_median():
    manifold = SHORT.manifold()

    def with_stray(factor):
        def velocity(z, t, r):
            x = manifold.embed(manifold.nearest(z).angles)
            x[0] *= factor
            return z - x

        return velocity

    arm = replace(SHORT, samples=400, batch=400, objective=replace(SHORT.objective, predict="u"))
    metrics, _ = measure(arm, manifold, with_stray(1000.0), seed=0)
    assert metrics["distance_1"] > 1
    assert metrics["distance_1_median"] < 1e-6
    diverged, _ = measure(arm, manifold, with_stray(math.inf), seed=0)
    assert diverged["diverged_1"] == 1
    assert "distance_1" not in diverged
    assert diverged["distance_1_median"] < 1e-6


def test_blobs_that_are_data_measure_as_data():
    arm = replace(BLOBS, batch=200)
    metrics, arrays = measure(arm, arm.manifold(), Drawn(arm.manifold()), seed=0)
    assert metrics["distance_1"] < 1e-5
    assert min(metrics["ks_p_angle_1"], metrics["ks_p_angle_2"]) > 0.01
    for what in ("angles", "points"):
        reference = metrics[f"energy_{what}_data"]
        assert metrics[f"energy_{what}_1"] == pytest.approx(reference, rel=1)
    assert arrays["angles_1"].shape == (200, 2)
    assert arrays["volumes"].shape == arrays["nearest"].shape == (4, 1, 8, 8, 8)


def test_missing_modes_and_blur_are_seen():
    """A network that leaves out a part of the angles is on the manifold all the same; one that
    blurs has their mean.
    """
    arm = replace(BLOBS, batch=200)
    manifold = arm.manifold()
    few, _ = measure(arm, manifold, Drawn(manifold, turn=0.5), seed=0)
    assert few["distance_1"] < 1e-5
    assert few["ks_p_angle_1"] < 1e-6
    assert few["energy_angles_1"] > 10 * few["energy_angles_data"]

    blurred, _ = measure(arm, manifold, Drawn(manifold, factor=0.3), seed=0)
    assert blurred["distance_1"] > 0.3
    assert blurred["energy_points_1"] > 10 * blurred["energy_points_data"]


def test_every_number_of_calls_has_its_figures():
    arm = replace(TINY, calls=(1, 2, 4))
    asked = []

    def network(z, t, r):
        asked.append(len(z))
        return z

    metrics, arrays = measure(arm, arm.manifold(), network, seed=0)
    for calls in (1, 2, 4):
        for name in ("distance", "energy_angles", "energy_points"):
            assert 0 <= metrics[f"{name}_{calls}"] < 10
        assert f"coordinates_{calls}" in arrays
    assert "distance_5" not in metrics
    assert sum(asked) == 100 * (1 + 2 + 4) + 3 * 100  # the residual takes three calls


def test_figures_are_numbers_that_a_file_can_hold():
    metrics, _ = measure(TINY_BLOBS, TINY_BLOBS.manifold(), TINY_BLOBS.network(), seed=0)
    assert all(isinstance(value, int | float) for value in metrics.values())
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_samples_that_diverge_are_counted_and_not_averaged():
    """A network whose second call overflows for every fourth sample: the others keep their values,
    and no figure leaves the lost ones out of its mean.
    """
    arm = replace(TINY, calls=(1, 2))
    manifold = arm.manifold()

    def network(z, t, r):
        first = (torch.arange(len(z)) % 4 == 0) & (t < 0.9)
        return torch.where(first[:, None], torch.inf, manifold.embed(manifold.nearest(z).angles))

    metrics, arrays = measure(arm, manifold, network, seed=0)
    assert metrics["diverged_1"] == 0
    assert metrics["diverged_2"] == arm.samples // 4
    assert {"distance_1", "energy_points_1", "energy_angles_1"} <= metrics.keys()
    assert not {"distance_2", "energy_points_2", "energy_angles_2"} & metrics.keys()
    assert arrays["coordinates_2"].isfinite().all(1).sum() == arm.samples * 3 // 4
    json.dumps(metrics, allow_nan=False)
