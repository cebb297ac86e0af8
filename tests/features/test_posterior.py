"""Latents as numbers: moments in closed form; distances from kept directions are those of the latents."""

import pytest
import torch

from features.support import blob
from neuromf.autoencoder.load import load_vae
from neuromf.features.posterior import DIRECTIONS, moments, posterior
from neuromf.metrics.wasserstein import sliced_wasserstein, wasserstein_squared
from neuromf.runtime.randomness import Purpose, generator


def test_moments():
    z = torch.stack([torch.randn(20, 20, 20) * 2 + 1, -torch.randn(20, 20, 20).exp()])
    found = moments(z)
    assert float(found["mean"][0]) == pytest.approx(1, abs=0.1)
    assert float(found["std"][0]) == pytest.approx(2, abs=0.1)
    assert abs(float(found["skewness"][0])) < 0.1
    assert abs(float(found["kurtosis"][0])) < 0.2
    assert float(found["skewness"][1]) < -2


def test_distances_need_no_latents(vae_folder):
    measure = posterior(str(vae_folder))
    volumes = [blob(s) for s in range(5)]
    along = torch.stack([measure.compute(v)["directions"] for v in volumes])
    vae = load_vae(str(vae_folder))
    z = torch.cat([vae.encode(torch.from_numpy(v.voxels)[None, None]) for v in volumes])
    expected = sliced_wasserstein(z[:2], z[2:], DIRECTIONS, generator(Purpose.DIRECTIONS, 0))
    assert float(wasserstein_squared(along[:2], along[2:]).mean().sqrt()) == pytest.approx(
        expected, rel=1e-4
    )
