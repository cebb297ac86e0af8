"""Precision, recall, density, coverage: known cases, against a plain reading of their definitions."""

import pytest
import torch

from neuromf.metrics.precision_recall import kth_distance, manifold, nearest


def normal(n, d=3, seed=0, shift=0.0):
    return shift + torch.randn(
        n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def by_loops(samples, real, k):
    def radius(points, i):
        return sorted(float((points[i] - p).norm()) for j, p in enumerate(points) if j != i)[k - 1]

    rr, rs = (
        [radius(real, i) for i in range(len(real))],
        [radius(samples, i) for i in range(len(samples))],
    )
    apart = [[float((s - r).norm()) for r in real] for s in samples]
    precision = [any(row[j] <= rr[j] for j in range(len(real))) for row in apart]
    density = [sum(row[j] <= rr[j] for j in range(len(real))) / k for row in apart]
    recall = [any(apart[i][j] <= rs[i] for i in range(len(samples))) for j in range(len(real))]
    coverage = [min(apart[i][j] for i in range(len(samples))) <= rr[j] for j in range(len(real))]
    return precision, recall, density, coverage


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_equals_the_definitions(shift):
    samples, real = normal(30, shift=shift), normal(25, seed=1)
    found = manifold(samples, real, 3)
    for values, expected in zip(found, by_loops(samples, real, 3), strict=True):
        torch.testing.assert_close(values, torch.tensor([float(v) for v in expected]).double())


def test_equal_sets_and_sets_far_apart():
    a = normal(40)
    same = manifold(a, a)
    assert same.precision.mean() == same.recall.mean() == same.coverage.mean() == 1
    far = manifold(a, normal(40, seed=1, shift=100.0))
    assert all(float(v.mean()) == 0 for v in far)


def test_samples_of_one_brain_have_precision_without_recall():
    real = normal(200)
    one = real[:1] + 1e-3 * normal(200, seed=2)
    found = manifold(one, real)
    assert found.precision.mean() == 1
    assert found.recall.mean() < 0.05
    assert found.coverage.mean() < 0.1


def test_unit_and_rotation_do_not_matter():
    samples, real = normal(40, shift=0.4), normal(40, seed=1)
    turn = torch.linalg.qr(normal(3, seed=5)).Q
    for a, b in zip(
        manifold(samples, real), manifold(7 * samples @ turn, 7 * real @ turn), strict=True
    ):
        assert torch.equal(a, b)


def test_too_few_points_are_refused():
    with pytest.raises(
        ValueError, match="5-th neighbour needs more than 5 points in each set: 9 and 5"
    ):
        manifold(normal(9), normal(5), 5)


def test_nearest_and_what_is_left_out():
    a = torch.tensor([[0.0], [10.0]])
    b = torch.tensor([[1.0], [2.0], [9.0]])
    distance, index = nearest(a, b)
    assert distance.tolist() == [1, 1]
    assert index.tolist() == [0, 2]
    distance, index = nearest(a, b, torch.tensor([[True, False, False], [False, False, True]]))
    assert distance.tolist() == [2, 8]
    assert index.tolist() == [1, 1]
    assert kth_distance(b, 1).tolist() == [1, 1, 7]


def test_many_points_go_in_parts():
    a, b = normal(1100), normal(30, seed=1)
    distance, index = nearest(a, b)
    whole = torch.cdist(a, b).min(1)
    torch.testing.assert_close(distance, whole.values)
    assert torch.equal(index, whole.indices)
