"""Metrics of features: equal sets, shifted sets, planes, intervals, what is too small."""

import pytest
import torch

from evaluation.support import as_points, made_points, measured
from neuromf.evaluation.feature_comparison import FeatureComparison, FeatureSpace
from neuromf.evaluation.metric import draw_bootstrap
from neuromf.evaluation.registry import point_estimates, scores


def values(a, space):
    """Return metric -> value of set a against the space's reference, or (a, r)."""
    a, r = a if isinstance(a, tuple) else (a, space.reference)
    found = point_estimates(FeatureComparison(a, r, space))
    return {key.partition("/")[2]: value for key, value in found.items()}


def resampled(a, space, draws):
    bootstrap = draw_bootstrap(len(a), len(space.reference), draws, 0, 1)
    found = scores(FeatureComparison(a, space.reference, space, bootstrap))
    return {s.key.partition("/")[2]: s for s in found}


def test_equal_sets_are_0_apart_and_shifted_ones_are_not(tmp_path):
    r = made_points(tmp_path, 40)
    space = FeatureSpace(r)
    same = values(r, space)
    assert same["fid"] == pytest.approx(0, abs=1e-6)
    assert same["fid.axial"] == pytest.approx(0, abs=1e-6)
    assert same["swd"] == 0
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    assert same["nearest"] == pytest.approx(0, abs=1e-6)
    shifts = (0.0, 0.5, 1.0, 2.0)
    found = [values(made_points(tmp_path, 40, shift, seed=1), space) for shift in shifts]
    for name in ("fid", "kid", "mmd", "swd", "nearest"):
        of_shifts = [f[name] for f in found]
        assert of_shifts == sorted(of_shifts), name
    assert found[-1]["fid"] - found[0]["fid"] == pytest.approx(12 * 4, rel=0.25)  # |shift|² a plane
    assert found[0]["precision"] > 0.5 > found[-1]["precision"]


def test_fid_is_the_mean_of_the_planes(tmp_path):
    r, a = made_points(tmp_path, 30), made_points(tmp_path, 25, 0.3, seed=1)
    found = values(a, FeatureSpace(r))
    planes = [found[f"fid.{p}"] for p in ("axial", "coronal", "sagittal")]
    assert found["fid"] == pytest.approx(sum(planes) / 3)
    r = made_points(tmp_path, 9, extractor="random-3d")
    three = values(made_points(tmp_path, 9, extractor="random-3d", seed=5), FeatureSpace(r))
    assert "fid" in three
    assert "fid.axial" not in three


def test_intervals_hold_the_value_and_cover_new_draws(tmp_path):
    """The interval of one pair of sets holds the values of most other pairs, shifted by as much."""
    r = made_points(tmp_path, 60)
    space = FeatureSpace(r)
    found = resampled(made_points(tmp_path, 60, 0.5, seed=1), space, 100)
    others = [
        values(
            (
                made_points(tmp_path, 60, 0.5, seed=10 + s),
                made_points(tmp_path, 60, seed=50 + s),
            ),
            space,
        )
        for s in range(12)
    ]
    for name in ("fid", "kid", "mmd", "swd"):
        low, high = found[name].interval
        assert low < found[name].value < high
        assert sum(low < o[name] < high for o in others) >= 7, name
    assert len(found["fid"].replicates) == 100
    assert found["fid"].compared
    assert "equal numbers" in found["fid"].note


def test_the_resampled_spread_is_that_of_new_draws(tmp_path):
    r = made_points(tmp_path, 50)
    space = FeatureSpace(r)
    found = resampled(made_points(tmp_path, 50, 0.5, seed=1), space, 200)
    fresh = [
        values(
            (
                made_points(tmp_path, 50, 0.5, seed=10 + s),
                made_points(tmp_path, 50, seed=60 + s),
            ),
            space,
        )
        for s in range(30)
    ]
    for name in ("fid", "kid", "mmd", "swd", "nearest"):
        true = float(torch.tensor([f[name] for f in fresh]).std())
        spread = float(torch.tensor(found[name].replicates).std())
        assert 0.5 < spread / true < 2, name


def test_differences_of_manifolds_have_no_p(tmp_path):
    """Drawn volumes would change precision and density too; their replicates leave that out."""
    r = made_points(tmp_path, 20)
    found = resampled(made_points(tmp_path, 20, seed=1), FeatureSpace(r), 10)
    assert {k for k, s in found.items() if not s.compared} == {
        *("precision", "recall", "density", "coverage")
    }
    assert found["precision"].interval is not None


def test_small_sets_lack_what_they_are_too_small_for(tmp_path):
    r = made_points(tmp_path, 40)
    space = FeatureSpace(r)
    found = resampled(made_points(tmp_path, 4, seed=2), space, 4)
    assert set(found) >= {"fid", "kid", "mmd", "swd"}
    assert "recall" not in found
    assert set(values(r.only([3]), space)) == {"swd", "nearest"}
    # a bootstrap of four says nothing
    assert all(s.interval is None and s.replicates == () for s in found.values())


def test_real_volumes_of_one_kind_are_near_each_other(world, kept):
    """Through the network: sets of the same kind are nearer than a brighter one."""
    r, same, bright = (
        as_points(measured(world / name, kept)) for name in ("others", "same", "bright")
    )
    space = FeatureSpace(r)
    near, far = values(same, space), values(bright, space)
    for name in ("fid", "kid", "mmd", "swd"):
        assert near[name] < 0.5 * far[name], name
