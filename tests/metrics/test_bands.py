"""Bands: noise is flat, a wave lies in its own, errors add up, and those of the whole and of the bands agree."""

import math

import pytest
import torch

from neuromf.metrics.bands import BANDS, band_error, band_power, by_band
from neuromf.metrics.spectrum import frequency_radius

SHAPE = (4, 20, 24, 20)


def noise(n=6, seed=0, shape=SHAPE):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def wave(cycles, n=32):
    """One latent of one channel: a sine along the first axis; `cycles` of n/2 is Nyquist."""
    line = torch.sin(2 * math.pi * cycles * torch.arange(n) / n)
    return line[None, None, :, None, None].expand(1, 1, n, n, n)


def test_white_noise_has_the_power_1_in_every_band():
    found = band_power(noise())
    assert found.shape == (BANDS,)
    assert found.tolist() == pytest.approx([1] * BANDS, rel=0.1)


@pytest.mark.parametrize(("cycles", "band"), [(1, 0), (5, 2), (9, 4), (15, 7)])
def test_a_wave_lies_in_its_own_band(cycles, band):
    found = band_power(wave(cycles))
    assert int(found.argmax()) == band
    assert float(found[band] / found.sum()) == pytest.approx(1, abs=1e-6)


def test_corners_belong_to_the_last_band():
    checkers = torch.cos(torch.pi * torch.stack(torch.meshgrid(*[torch.arange(8.0)] * 3, indexing="ij")).sum(0))  # fmt: skip
    assert float(frequency_radius(checkers).max()) == pytest.approx(3**0.5)
    found = band_power(checkers[None, None], bands=4)
    assert found[:3].tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    assert found[3] > 0


def test_waves_make_the_mean_square():
    """Parseval: the bands' powers times their numbers of waves are the sum of squares."""
    x = noise(3, shape=(2, 6, 8, 10))
    band = (frequency_radius(x[0, 0]) * 4).long().clamp(max=3).flatten()
    total = float((band_power(x, 4) * torch.bincount(band)).sum())
    assert total == pytest.approx(float(x.double().square().mean()) * 480, rel=1e-9)


def test_a_band_without_a_wave_is_nan():
    assert torch.isnan(band_power(noise(1, shape=(1, 4, 4, 4)))).tolist()[1]
    assert not torch.isnan(band_power(noise(1, shape=(1, 4, 4, 4)), bands=2)).any()


def test_error_of_equal_sets_of_the_mean_and_of_unrelated_ones():
    reference, mean = 2 * noise() + 5, torch.full(SHAPE, 5.0)
    same = band_error(reference, reference, mean)
    assert same.whole == 0
    assert same.bands.tolist() == [0] * BANDS
    assert same.power.tolist() == pytest.approx([1] * BANDS)
    nothing = band_error(mean.expand(6, *SHAPE), reference, mean)
    assert nothing.whole == pytest.approx(1)
    assert nothing.bands.tolist() == pytest.approx([1] * BANDS)
    assert nothing.power.tolist() == [0] * BANDS
    others = band_error(2 * noise(seed=1) + 5, reference, mean)
    assert others.whole == pytest.approx(2**0.5, rel=0.02)


def test_an_error_in_one_band_is_seen_there_alone():
    reference = noise(1, shape=(1, 32, 32, 32))
    found = band_error(reference + 0.5 * wave(5), reference, torch.zeros(1, 32, 32, 32))
    assert int(found.bands.argmax()) == 2
    assert found.bands.sum() - found.bands[2] == pytest.approx(0, abs=1e-5)


def test_half_the_deviation_has_a_quarter_of_the_power():
    reference, mean = noise() + 3, torch.full(SHAPE, 3.0)
    found = band_error(mean + 0.5 * (reference - mean), reference, mean)
    assert found.power.tolist() == pytest.approx([0.25] * BANDS, rel=1e-5)
    assert found.bands.tolist() == pytest.approx([0.5] * BANDS, rel=1e-5)


def test_bands_by_name():
    assert by_band("power", torch.tensor([1.0, math.nan, 3.0])) == {"power_1": 1.0, "power_3": 3.0}


def test_refused():
    with pytest.raises(
        ValueError, match=r"\(N, C, D, H, W\), one or more: shape \(4, 20, 24, 20\)"
    ):
        band_power(noise()[0])
    with pytest.raises(ValueError, match="bands is 0"):
        band_power(noise(), 0)
    with pytest.raises(ValueError, match="the first two are to be equal"):
        band_error(noise(2), noise(3), torch.zeros(SHAPE))
    with pytest.raises(ValueError, match="the mean one of them"):
        band_error(noise(2), noise(2), torch.zeros(2, *SHAPE))
