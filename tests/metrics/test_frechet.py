"""Fréchet distance: closed forms, the matrix square root, symmetry, invariances."""

import pytest
import torch
from monai.metrics.fid import get_fid_score
from scipy import linalg

from neuromf.metrics.frechet import Gaussian, fit_gaussian, frechet_distance, frechet_of_covariances


def points(n, d, seed=0, scale=1.0, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(d, d, generator=generator, dtype=torch.float64) / d**0.5
    return shift + scale * torch.randn(n, d, generator=generator, dtype=torch.float64) @ mix


def by_square_root(a, b):
    """The usual way: scipy's square root of the product of covariances."""
    root = linalg.sqrtm((a.covariance @ b.covariance).numpy()).real
    return float(
        (a.mean - b.mean).square().sum()
        + a.covariance.trace()
        + b.covariance.trace()
        - 2 * root.trace()
    )


@pytest.mark.parametrize(
    ("n", "m", "d"), [(200, 300, 16), (40, 300, 64), (30, 20, 64), (500, 20, 64)]
)
def test_equals_the_matrix_square_root(n, m, d):
    a, b = fit_gaussian([points(n, d, 1)]), fit_gaussian([points(m, d, 2, 1.3, 0.2)])
    expected = by_square_root(a, b)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of scipy's, in MONAI
def test_equals_monai():
    a, b = points(200, 12, 1), points(150, 12, 2, 0.7, 1.0)
    ours = frechet_distance(fit_gaussian([a]), fit_gaussian([b]))
    assert ours == pytest.approx(float(get_fid_score(a, b)), rel=1e-5)


def test_equal_sets_are_0_apart():
    for n in (20, 400):
        g = fit_gaussian([points(n, 64, 3)])
        assert frechet_distance(g, g) < 1e-6 * g.trace


def test_diagonal_gaussians_in_closed_form():
    a, b = torch.tensor([1.0, 2.0, 0.5]).double(), torch.tensor([3.0, 0.1, 0.5]).double()
    mean = torch.tensor([1.0, -2.0, 0.0]).double()
    one, other = (
        Gaussian(torch.zeros(3).double(), 9, whole=torch.diag(a**2)),
        Gaussian(mean, 9, whole=torch.diag(b**2)),
    )
    assert frechet_distance(one, other) == pytest.approx(
        float(mean.square().sum() + (a - b).square().sum()), rel=1e-12
    )


def test_shift_scale_and_rotation():
    x = points(300, 8, 4)
    g = fit_gaussian([x])
    shift = torch.full((8,), 0.5, dtype=torch.float64)
    assert frechet_distance(g, fit_gaussian([x + shift])) == pytest.approx(8 * 0.25, rel=1e-9)
    assert frechet_distance(g, fit_gaussian([3 * x])) == pytest.approx(
        4 * (g.trace + float(g.mean.square().sum())), rel=1e-9
    )
    turn = torch.linalg.qr(points(8, 8, 5)).Q
    y = points(200, 8, 6, 2.0, 1.0)
    plain = frechet_distance(g, fit_gaussian([y]))
    assert frechet_distance(fit_gaussian([x @ turn]), fit_gaussian([y @ turn])) == pytest.approx(
        plain, rel=1e-9
    )


@pytest.mark.parametrize(("n", "d"), [(10, 32), (32, 32), (33, 32), (500, 32)])
def test_in_parts_or_at_once(n, d):
    """Also where the points come to be more than the dimensions half way."""
    x = points(n, d, 7, shift=1e3)  # far from 0: squares would cancel
    at_once, in_parts = fit_gaussian([x]), fit_gaussian(x.split(7))
    expected = torch.cov(x.T)
    for g in (at_once, in_parts):
        assert g.count == n
        torch.testing.assert_close(g.mean, x.mean(0), rtol=1e-12, atol=0)
        torch.testing.assert_close(g.covariance, expected, rtol=1e-8, atol=1e-9)
    assert (at_once.factor is not None) == (n <= d)


def test_batches_of_covariances():
    a = [fit_gaussian([points(50, 6, s)]) for s in range(4)]
    b = fit_gaussian([points(60, 6, 9, 1.5)])
    means, covariances = torch.stack([g.mean for g in a]), torch.stack([g.covariance for g in a])
    found = frechet_of_covariances(means, covariances, b.mean, b.covariance)
    torch.testing.assert_close(
        found,
        torch.tensor([frechet_distance(g, b) for g in a], dtype=torch.float64),
        rtol=1e-8,
        atol=1e-9,
    )


def test_one_point_is_refused():
    with pytest.raises(ValueError, match="two points or more: 1 came"):
        fit_gaussian([points(1, 4)])
