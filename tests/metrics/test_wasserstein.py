"""Sliced Wasserstein: identity, symmetry, shifts and Gaussians in closed form, sets of unlike size."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from neuromf.metrics.wasserstein import sliced_wasserstein, wasserstein_squared


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_identity_and_symmetry():
    a, b = torch.randn(30, 4, 3, generator=chance()), torch.randn(40, 4, 3, generator=chance(1)) + 1
    assert sliced_wasserstein(a, a, 64, chance()) == 0
    assert sliced_wasserstein(a, b, 64, chance()) == pytest.approx(
        sliced_wasserstein(b, a, 64, chance()), rel=1e-5
    )


def test_a_shift_of_all_coordinates_is_its_own_distance():
    a = torch.randn(50, 2000, generator=chance())
    assert sliced_wasserstein(a, a + 0.3, 4096, chance()) == pytest.approx(0.3, rel=0.05)


def test_gaussians_of_unlike_spread():
    """W2 of N(0, 1) and N(0, s²) is |1 - s| along every direction."""
    a, b = (
        torch.randn(20_000, 5, generator=chance()),
        1.5 * torch.randn(20_000, 5, generator=chance(1)),
    )
    assert sliced_wasserstein(a, b, 256, chance()) == pytest.approx(0.5, abs=0.02)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_sets_of_unlike_size_equal_repeated_ones(n, m, seed):
    """Each point of one set repeated m times, of the other n times: equal sizes, the same distributions."""
    a, b = (
        torch.randn(n, 2, generator=chance(seed)).double(),
        torch.randn(m, 2, generator=chance(seed + 1)).double(),
    )
    expected = wasserstein_squared(a.repeat_interleave(m, 0), b.repeat_interleave(n, 0))
    torch.testing.assert_close(wasserstein_squared(a, b), expected)


def test_one_dimension_bounds_scipys_first_distance():
    """W1 <= W2, with equality for a shift."""
    a, b = torch.randn(31, 1, generator=chance()), torch.randn(17, 1, generator=chance(1))
    first = wasserstein_distance(a[:, 0].numpy(), b[:, 0].numpy())
    assert first <= wasserstein_squared(a, b).sqrt().item()
    assert wasserstein_squared(a, a + 2).sqrt().item() == pytest.approx(2)


def test_points_of_unlike_shape_are_refused():
    with pytest.raises(ValueError, match="points of one shape"):
        sliced_wasserstein(torch.zeros(3, 2), torch.zeros(3, 4), 8, chance())
    with pytest.raises(ValueError, match="points of one shape"):
        sliced_wasserstein(torch.zeros(0, 2), torch.zeros(3, 2), 8, chance())
