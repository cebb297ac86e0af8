import numpy as np
import pytest
import torch
from scipy import stats as reference

from neuromf.autoencoder.components import image_of
from neuromf.latents import LatentStats, LatentStore, StoreError
from neuromf.latents.statistics import LatentScale, Moments, latent_statistics, pca_spectrum
from neuromf.latents.store import LatentEntry, write_index, write_shard
from support import LATENT_SHAPE, STORE_VAE, known_latents


@pytest.fixture(scope="module")
def stats(store_folder):
    return latent_statistics(LatentStore(store_folder))


def channels():
    """The training values of each channel."""
    return known_latents()[:8].double().movedim(1, 0).flatten(1).numpy()


def test_moments_equal_scipys(stats):
    values = channels()
    np.testing.assert_allclose(stats.mean, values.mean(1), rtol=1e-10)
    np.testing.assert_allclose(stats.std, values.std(1), rtol=1e-10)
    np.testing.assert_allclose(
        stats.skewness, reference.skew(values, axis=1), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(
        stats.kurtosis, reference.kurtosis(values, axis=1), rtol=1e-8, atol=1e-10
    )
    np.testing.assert_allclose(stats.correlation, np.corrcoef(values), atol=1e-10)


def test_only_the_training_split_counts(stats):
    assert stats.latents == 8
    assert stats.subjects == 8
    everything = known_latents().double().movedim(1, 0).flatten(1).numpy()
    assert np.abs(np.array(stats.mean) - everything.mean(1)).max() > 1e-3


def test_a_large_offset_costs_no_digits():
    values = torch.randn(6, 1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) + 4096
    moments = Moments(1)
    for value in values:
        moments.add(value)
    _, std, _, kurtosis, _ = moments.result()
    expected = values.double().flatten().numpy()
    assert float(std) == pytest.approx(expected.std(), rel=1e-10)
    assert float(kurtosis) == pytest.approx(reference.kurtosis(expected), rel=1e-6)


def test_normalised_latents_have_mean_0_and_std_1(stats):
    z = stats.normalise(known_latents()[:8])
    values = z.movedim(1, 0).flatten(1)
    assert values.mean(1).abs().max() < 1e-4
    assert (values.std(1, correction=0) - 1).abs().max() < 1e-4
    torch.testing.assert_close(stats.denormalise(z), known_latents()[:8], rtol=1e-5, atol=1e-4)


def test_spectrum_is_that_of_the_covariance(stats):
    z = stats.normalise(known_latents()[:8]).double().flatten(1).numpy()
    singular = np.linalg.svd(z - z.mean(0), compute_uv=False)[:7] ** 2
    np.testing.assert_allclose(stats.pca_variance, singular / singular.sum(), rtol=1e-4)


def test_spectrum_of_one_direction():
    direction = torch.randn(2, 3, 3, 3)
    latents = [i * direction for i in range(5)]
    scale = LatentScale(torch.zeros(2), torch.ones(2))
    assert pca_spectrum(latents, scale)[0] == pytest.approx(1)


def test_saved_and_loaded(stats, tmp_path):
    stats.save(tmp_path)
    assert LatentStats.load(tmp_path) == stats
    with pytest.raises(StoreError, match=r"holds no stats.json"):
        LatentStats.load(tmp_path / "none")


def test_refusals(stats, store_folder):
    with pytest.raises(StoreError, match="latents have 3 channels, the statistics 4"):
        stats.normalise(torch.zeros(1, 3, 4, 4, 4))
    with pytest.raises(StoreError, match="no latent in the split 'other'"):
        latent_statistics(LatentStore(store_folder), "other")


def test_many_values_do_not_overflow():
    """Beyond 2.6 million values a channel the cube of their number leaves 64-bit integers."""
    moments = Moments(1)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((6, 1, 100, 100, 100)).astype(np.float32)
    for value in values:
        moments.add(torch.from_numpy(value))
    mean, std, skewness, kurtosis, _ = moments.result()
    flat = values.astype(np.float64).ravel()
    expected = [flat.mean(), flat.std(), reference.skew(flat), reference.kurtosis(flat)]
    np.testing.assert_allclose(
        [float(m) for m in (mean, std, skewness, kurtosis)], expected, rtol=1e-8, atol=1e-10
    )


def test_a_latent_with_nan_is_named(tmp_path):
    entry = LatentEntry("s00", "s00", "train", "shard-00000")
    broken = torch.ones(LATENT_SHAPE)
    broken[0, 0, 0, 0] = torch.nan
    write_index(
        tmp_path,
        image_of(STORE_VAE),
        LATENT_SHAPE,
        write_shard(tmp_path, "shard-00000", image_of(STORE_VAE), [(entry, broken, None)]),
        False,
    )
    with pytest.raises(StoreError, match="s00 .*holds NaN"):
        latent_statistics(LatentStore(tmp_path))
