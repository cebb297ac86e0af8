import math

import pytest
import torch

from neuromf.metrics.spectrum import (
    frequency_radius,
    high_frequency_energy,
    high_frequency_ratio,
    radial_power,
)


def wave(cycles, amplitude=1.0, n=32):
    """A sine along the first axis; `cycles` of n/2 is Nyquist."""
    return (amplitude * torch.sin(2 * math.pi * cycles * torch.arange(n) / n))[
        :, None, None
    ].expand(n, n, n) + 0.5


def test_energy_of_a_wave_is_half_its_squared_amplitude():
    assert high_frequency_energy(wave(12, 0.3)) == pytest.approx(
        0.3**2 / 2, rel=1e-5
    )  # 0.75 of Nyquist
    assert high_frequency_energy(wave(4, 0.3)) == pytest.approx(0, abs=1e-12)  # 0.25 of Nyquist


def test_all_frequencies_make_the_variance():
    volume = torch.rand(10, 12, 14, generator=torch.Generator().manual_seed(0))
    assert high_frequency_energy(volume, cutoff=0.0) == pytest.approx(
        float(volume.double().var(correction=0)), rel=1e-6
    )


def test_ratio():
    assert high_frequency_ratio(wave(12, 0.2), wave(12, 0.4)) == pytest.approx(0.25)


def test_radius_is_one_at_nyquist():
    radius = frequency_radius(torch.zeros(8, 8, 8))
    assert radius[4, 0, 0] == 1
    assert radius.max() == pytest.approx(math.sqrt(3))


def test_radial_power_of_a_wave_lies_in_its_shell():
    x = torch.arange(64).double() * torch.pi
    wave = torch.sin(x * 0.25)[:, None, None].expand(64, 16, 16)  # a quarter of Nyquist
    power = radial_power(wave, bins=16)
    assert int(power.argmax()) == 4
    assert float(power[[i for i in range(16) if i != 4]].max()) < 1e-20
    torch.testing.assert_close(radial_power(3 * wave, 16), 9 * power)


def test_radial_power_adds_up_to_the_variance():
    volume = torch.randn(16, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    within = (frequency_radius(volume) * 8).long()
    shells = torch.bincount(within[within < 8].flatten(), minlength=8)
    outside = torch.fft.fftn(volume).abs().square()[within >= 8].sum() / volume.numel() ** 2
    total = float((radial_power(volume, 8) * shells).sum() + outside)
    assert total == pytest.approx(float(volume.square().mean()), rel=1e-10)
