"""Two sets in one space: what is taken once for all metrics and draws."""

import torch

from evaluation.support import made_points
from neuromf.evaluation import feature_comparison
from neuromf.evaluation.feature_comparison import FeatureComparison, FeatureSpace
from neuromf.evaluation.metric import draw_bootstrap
from neuromf.evaluation.registry import scores


def test_value_and_replicates_share_what_they_are_computed_from(tmp_path, monkeypatch):
    """Kernels, manifolds, neighbours and projections are computed once a comparison."""
    counted = []
    for name in ("polynomial_kernels", "rbf_kernels", "manifold", "nearest", "project"):
        whole = getattr(feature_comparison, name)
        monkeypatch.setattr(
            feature_comparison,
            name,
            lambda *given, name=name, whole=whole: counted.append(name) or whole(*given),
        )
    r, a = made_points(tmp_path, 12), made_points(tmp_path, 9, seed=1)
    bootstrap = draw_bootstrap(9, 12, 5, 0, 1)
    scores(FeatureComparison(a, r, FeatureSpace(r), bootstrap))
    assert sorted(counted) == sorted(set(counted))
    assert len(counted) == 5


def test_each_plane_is_resampled_once(tmp_path, monkeypatch):
    calls = []
    whole = feature_comparison.moments
    monkeypatch.setattr(
        feature_comparison, "moments", lambda *given: calls.append(given[1]) or whole(*given)
    )
    r, a = made_points(tmp_path, 12), made_points(tmp_path, 9, seed=1)
    scores(FeatureComparison(a, r, FeatureSpace(r), draw_bootstrap(9, 12, 5, 0, 1)))
    assert sorted(calls) == sorted(2 * ["axial", "coronal", "sagittal"])


def test_all_sets_share_the_space(tmp_path):
    """The kernel's width is the whole reference's, the directions are those of all sets."""
    r, a = made_points(tmp_path, 30), made_points(tmp_path, 30, 3.0, seed=1)
    space = FeatureSpace(r, (a,))
    assert space.bandwidth == FeatureSpace(r).bandwidth
    middle, _ = space.bases["axial"]
    torch.testing.assert_close(middle, torch.full((12,), 1.5, dtype=torch.float64), atol=1, rtol=0)
    assert FeatureSpace(r.only([0])).bandwidth == 0
