"""Points of a set: parts of it, leading directions, one point a volume."""

import torch

from evaluation.support import made_points
from neuromf.evaluation.points import Points, even, principal


def test_directions_of_a_few_dimensions_are_all(tmp_path):
    r, a = made_points(tmp_path, 30), made_points(tmp_path, 30, seed=1)
    _, basis = principal((a, r), "axial")
    assert basis.shape == (12, 12)
    torch.testing.assert_close(basis.T @ basis, torch.eye(12, dtype=torch.float64))


def test_parts_of_a_set(tmp_path):
    r = made_points(tmp_path, 20)
    part = r.only([4, 7, 9])
    assert torch.equal(part.embedding, r.embedding[[4, 7, 9]])
    fresh = Points(r.features.only([4, 7, 9]), r.extractor)
    torch.testing.assert_close(fresh.embedding, part.embedding)
    assert part.gaussians["axial"].count == 12
    assert even(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert even(100, 3).tolist() == [0, 50, 99]
