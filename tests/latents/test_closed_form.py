"""Closed-form models: the mean and the covariance, the spectrum or the deviation that they promise, and nothing else."""

import pytest
import torch

from neuromf.latents import LatentDataset, LatentStore
from neuromf.latents.closed_form import KINDS, closed_form, moments, principal
from neuromf.latents.gaussian import Latents, latent_gaussian
from neuromf.latents.statistics import latent_statistics

DRAWS = 4000


@pytest.fixture(scope="module")
def training(store_folder):
    store = LatentStore(store_folder)
    return LatentDataset(store, "train", latent_statistics(store))


def drawn(model, n=DRAWS):
    return torch.stack([model(torch.Generator().manual_seed(i)) for i in range(n)])


def latents_of(training):
    return torch.stack([training[i].latent for i in range(len(training))])


@pytest.mark.parametrize("kind", KINDS)
def test_the_mean_is_that_of_the_training_latents(training, kind):
    found = drawn(closed_form(kind, training)).mean(0)
    mean = latents_of(training).mean(0)
    assert found.shape == mean.shape
    assert float((found - mean).abs().max()) < 6 * 2 / DRAWS**0.5
    assert float((found - mean).square().mean().sqrt()) < 1.5 / DRAWS**0.5


def test_principal_components_have_the_whole_covariance(training):
    x = latents_of(training).flatten(1)
    few = torch.tensor([0, 3, 200, 301, 500])  # some voxels
    expected = torch.cov(x[:, few].T)
    found = torch.cov(drawn(closed_form("principal", training)).flatten(1)[:, few].T)
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0.1)


def test_principal_components_span_the_training_latents_and_no_more(training):
    """A sample about the mean is a combination of the training latents."""
    x = latents_of(training)
    rows = (x - x.mean(0)).flatten(1)
    sample = (principal(Latents(training))(torch.Generator().manual_seed(0)) - x.mean(0)).flatten()
    left = sample - rows.T @ torch.linalg.lstsq(rows.T, sample[:, None]).solution[:, 0]
    assert float(left.norm() / sample.norm()) < 1e-4


def test_the_stationary_gaussian_is_the_flow(training):
    noise = torch.randn(training.store.shape, generator=torch.Generator().manual_seed(5))
    found = closed_form("gaussian", training)(torch.Generator().manual_seed(5))
    torch.testing.assert_close(found, latent_gaussian(training).sample(noise[None])[0])


def test_noise_is_white_with_the_deviation_of_each_channel(training):
    mean, std = moments(Latents(training))
    x = latents_of(training)
    torch.testing.assert_close(mean, x.mean(0))
    torch.testing.assert_close(
        std.flatten(), (x.var(0).mean((1, 2, 3))).sqrt(), rtol=1e-5, atol=1e-6
    )
    noise = drawn(closed_form("noise", training), 500) - mean
    torch.testing.assert_close(noise.std((0, 2, 3, 4)), std.flatten(), rtol=0.02, atol=0.0)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()
    assert abs(float(neighbours)) < 0.02


def test_refused(training, store_folder):
    with pytest.raises(KeyError):
        closed_form("magic", training)
    alone = LatentDataset(LatentStore(store_folder), "val", training.stats)
    alone.indices = alone.indices[:1]
    with pytest.raises(ValueError, match="1 training latents: a closed-form model needs two"):
        closed_form("noise", alone)
