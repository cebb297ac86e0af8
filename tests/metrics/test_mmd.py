"""KID and MMD: unbiased, equal to torchmetrics' formula and to a loop, right for copies in resampled sets."""

import pytest
import torch

from neuromf.metrics.mmd import (
    kid,
    median_distance,
    mmd,
    mmd_squared,
    polynomial_kernels,
    rbf_kernels,
)


def normal(n, d=5, seed=0, shift=0.0):
    return shift + torch.randn(
        n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def by_loops(a, b, kernel):
    n, m = len(a), len(b)
    aa = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    bb = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return aa + bb - 2 * sum(kernel(x, y) for x in a for y in b) / (n * m)


def test_equals_the_definition():
    a, b = normal(6), normal(9, seed=1, shift=0.3)
    assert kid(a, b) == pytest.approx(
        float(by_loops(a, b, lambda x, y: (x @ y / 5 + 1) ** 3)), rel=1e-10
    )
    rbf = by_loops(a, b, lambda x, y: torch.exp(-(x - y).square().sum() / (2 * 1.7**2)))
    assert mmd(a, b, 1.7) == pytest.approx(float(rbf), rel=1e-10)


def test_rbf_equals_torchmetrics_formula_for_polynomials():
    """torchmetrics' kernel distance is of subsets; over the whole sets it is ours."""
    image = pytest.importorskip("torchmetrics.image.kid", exc_type=ImportError)
    a, b = normal(20), normal(20, seed=1, shift=0.3)
    assert kid(a, b) == pytest.approx(float(image.poly_mmd(a, b, 3, None, 1.0)), rel=1e-8)


def test_unbiased():
    """Over many draws of equal distributions the mean is 0, within its error."""
    values = torch.tensor(
        [kid(normal(12, seed=2 * s), normal(12, seed=2 * s + 1)) for s in range(400)]
    )
    assert abs(values.mean()) < 3 * values.std() / 20
    assert values.min() < 0  # unbiased, so it falls below


def test_grows_with_a_shift_and_is_symmetric():
    a = normal(100)
    found = [mmd(a, normal(100, seed=1, shift=s), 2.0) for s in (0.0, 0.5, 1.0, 2.0)]
    assert found == sorted(found)
    assert kid(a, normal(90, seed=3)) == pytest.approx(kid(normal(90, seed=3), a), rel=1e-9)


def test_gaussians_in_closed_form():
    """E k(x, y) of N(0, 1) and N(s, 1) with an RBF kernel of width w is known in one dimension."""
    w, s, n = 1.0, 1.5, 4000
    same = w / (w**2 + 2) ** 0.5
    across = same * torch.exp(torch.tensor(-(s**2) / (2 * (w**2 + 2))))
    assert mmd(normal(n, 1), normal(n, 1, 1, s), w) == pytest.approx(
        float(2 * same - 2 * across), abs=0.02
    )


def test_counts_are_a_resampled_set():
    """Counts give the set with copies, where a point and its copy are never compared."""
    a, b = normal(5), normal(4, seed=1)
    k = polynomial_kernels(a, b)
    ones = mmd_squared(k, torch.ones(5), torch.ones(4))
    assert float(ones) == pytest.approx(float(mmd_squared(k)), rel=1e-12)
    wa, wb = torch.tensor([2.0, 0, 1, 1, 1]), torch.tensor([1.0, 3, 0, 0])
    total = sum(wa[i] * wa[j] * k.aa[i, j] for i in range(5) for j in range(5) if i != j) / sum(
        wa[i] * wa[j] for i in range(5) for j in range(5) if i != j
    )
    other = sum(wb[i] * wb[j] * k.bb[i, j] for i in range(4) for j in range(4) if i != j) / sum(
        wb[i] * wb[j] for i in range(4) for j in range(4) if i != j
    )
    cross = (wa.double() @ k.ab @ wb.double()) / 20
    assert float(mmd_squared(k, wa, wb)) == pytest.approx(
        float(total + other - 2 * cross), rel=1e-10
    )
    batch = mmd_squared(k, torch.stack([wa, torch.ones(5)]), torch.stack([wb, torch.ones(4)]))
    torch.testing.assert_close(batch, torch.stack([mmd_squared(k, wa, wb), ones]))


def test_one_point_again_and_again_is_undefined():
    k = polynomial_kernels(normal(3), normal(4, seed=1))
    assert torch.isnan(mmd_squared(k, torch.tensor([3.0, 0, 0]), torch.ones(4)))


def test_median_distance():
    assert median_distance(torch.tensor([[0.0], [1.0], [3.0]])) == 2.0
    a = normal(50)
    assert median_distance(3 * a) == pytest.approx(3 * median_distance(a))


def test_a_single_point_is_refused():
    with pytest.raises(ValueError, match="two points or more in each set: 1 and 4"):
        mmd_squared(rbf_kernels(normal(1), normal(4), 1.0))
