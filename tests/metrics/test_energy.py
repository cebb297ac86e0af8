"""The energy coefficient: identity, symmetry, a value by hand, and what it must not overlook."""

import pytest
import torch

from neuromf.metrics.energy import energy_coefficient


def normal(n, d, seed, **options):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), **options)


def test_identity_and_symmetry():
    a, b = normal(30, 4, 0), normal(40, 4, 1) + 1
    assert energy_coefficient(a, a) == pytest.approx(0, abs=1e-6)
    assert energy_coefficient(a, b) == pytest.approx(energy_coefficient(b, a), rel=1e-9)


def test_values_by_hand():
    here, there = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]])
    assert energy_coefficient(here, there) == pytest.approx(1)
    assert energy_coefficient(here, here) == 0

    # E|x - y| = 1, E|x - x'| = 0, E|y - y'| = 1
    assert energy_coefficient(torch.zeros(1, 1), torch.tensor([[-1.0], [1.0]])) == pytest.approx(
        0.5
    )


def test_samples_of_one_distribution_differ_by_their_number():
    found = [energy_coefficient(normal(100, 8, s), normal(200, 8, 50 + s)) for s in range(5)]
    assert sum(found) / 5 == pytest.approx((1 / 100 + 1 / 200) / 2, rel=0.2)


def test_a_missing_mode_and_a_blurred_set_are_seen():
    signs = torch.tensor([-1.0, 1.0]).repeat(100)[:, None]
    data, other = (3 * signs + normal(200, 5, seed) for seed in (0, 1))
    reference = energy_coefficient(other, data)
    assert energy_coefficient(other[::2].repeat(2, 1), data) > 10 * reference
    assert energy_coefficient(data.mean(0).expand(200, 5), data) > 10 * reference


@pytest.mark.parametrize(
    ("a", "message"),
    [
        (torch.zeros(0, 3), "1 points or more"),
        (torch.zeros(4, 2), "2 and 3 came"),
        (torch.full((4, 3), torch.nan), "12 are NaN"),
    ],
    ids=["empty", "dimensions", "nan"],
)
def test_sets_that_cannot_be_compared_are_refused(a, message):
    with pytest.raises(ValueError, match=message):
        energy_coefficient(a, torch.ones(5, 3))
