"""Figures of features: equal sets, shifted sets, planes, intervals, what is too small."""

from dataclasses import replace

import pytest
import torch

from evaluation.support import material
from neuromf.evaluation.feature_metrics import (
    Points,
    Setup,
    even,
    missing,
    plain,
    principal,
    resampled,
    scores,
)
from neuromf.features.cache import Cache
from neuromf.features.extract import Features, Job, Measured
from neuromf.features.extractors import load_measure
from neuromf.metrics.intervals import counts


def points(tmp_path, n, shift=0.0, seed=0, extractor="random-2.5d", slices=4, d=12):
    """Features put into a cache, as if a network had made them."""
    cache = Cache(tmp_path)
    job = Job((extractor,), cache)
    chance = torch.Generator().manual_seed(seed)
    measure = load_measure(extractor)
    files = []
    for i in range(n):
        sha = f"{seed:08d}{i:056d}"
        middle = torch.randn(1, d, generator=chance)
        rows = slices if measure.kind == "2.5d" else 1
        values = {
            k: shift + middle + 0.5 * torch.randn(rows, d, generator=chance) for k in measure.keys
        }
        cache.write(measure.sha256, sha, values)
        files.append(Measured(tmp_path / f"{i}", sha))
    return Points(Features(tuple(files), job), extractor)


def test_equal_sets_are_0_apart_and_shifted_ones_are_not(tmp_path):
    r = points(tmp_path, 40)
    setup = Setup(r, draws=10)
    same = plain(r, r, setup)
    assert same["fid"] == pytest.approx(0, abs=1e-6)
    assert same["fid.axial"] == pytest.approx(0, abs=1e-6)
    assert same["swd"] == 0
    assert same["precision"] == same["recall"] == same["coverage"] == 1
    assert same["nearest"] == pytest.approx(0, abs=1e-6)
    found = [plain(points(tmp_path, 40, shift, seed=1), r, setup) for shift in (0.0, 0.5, 1.0, 2.0)]
    for name in ("fid", "kid", "mmd", "swd", "nearest"):
        values = [f[name] for f in found]
        assert values == sorted(values), name
    assert found[-1]["fid"] - found[0]["fid"] == pytest.approx(12 * 4, rel=0.25)  # |shift|² a plane
    assert found[0]["precision"] > 0.5 > found[-1]["precision"]


def test_fid_is_the_mean_of_the_planes(tmp_path):
    r, a = points(tmp_path, 30), points(tmp_path, 25, 0.3, seed=1)
    found = plain(a, r, Setup(r, draws=4))
    planes = [found[f"fid.{p}"] for p in ("axial", "coronal", "sagittal")]
    assert found["fid"] == pytest.approx(sum(planes) / 3)
    three = plain(
        points(tmp_path, 9, extractor="random-3d", seed=5),
        points(tmp_path, 9, extractor="random-3d"),
        Setup(r, draws=4),
    )
    assert "fid" in three
    assert "fid.axial" not in three


def test_intervals_hold_the_value_and_cover_new_draws(tmp_path):
    """The interval of one pair of sets holds the figures of most other pairs, shifted by as much."""
    r = points(tmp_path, 60)
    setup = Setup(r, draws=100)
    found, notes = scores(points(tmp_path, 60, 0.5, seed=1), r, setup, 1)
    assert notes == []
    by_name = {s.key.split("/")[1]: s for s in found}
    others = [
        plain(points(tmp_path, 60, 0.5, seed=10 + s), points(tmp_path, 60, seed=50 + s), setup)
        for s in range(12)
    ]
    for name in ("fid", "kid", "mmd", "swd"):
        low, high = by_name[name].interval
        assert low < by_name[name].value < high
        assert sum(low < o[name] < high for o in others) >= 7, name
    assert len(by_name["fid"].replicates) == 100
    assert "equal numbers" in by_name["fid"].note


def test_the_resampled_spread_is_that_of_new_draws(tmp_path):
    r = points(tmp_path, 50)
    setup = Setup(r, draws=200)
    a = points(tmp_path, 50, 0.5, seed=1)
    spread = {
        k: float(v.std())
        for k, v in resampled(a, r, setup, counts(50, 200, torch.Generator())).items()
    }
    fresh = [
        plain(points(tmp_path, 50, 0.5, seed=10 + s), points(tmp_path, 50, seed=60 + s), setup)
        for s in range(30)
    ]
    for name in ("fid", "kid", "mmd", "swd", "nearest"):
        true = float(torch.tensor([f[name] for f in fresh]).std())
        assert 0.5 < spread[name] / true < 2, name


def test_directions_of_a_few_dimensions_are_all(tmp_path):
    r, a = points(tmp_path, 30), points(tmp_path, 30, seed=1)
    _, basis = principal((a, r), "axial")
    assert basis.shape == (12, 12)
    torch.testing.assert_close(basis.T @ basis, torch.eye(12, dtype=torch.float64))


def test_small_sets_say_what_is_missing(tmp_path):
    r = points(tmp_path, 40)
    setup = Setup(r, draws=4)
    four = points(tmp_path, 4, seed=2)
    found, notes = scores(four, r, setup, 1)
    assert {s.key.split("/")[1] for s in found} >= {"fid", "kid", "mmd", "swd"}
    assert not any("recall" in s.key for s in found)
    assert any("5th neighbour and need 6 volumes in each set: 4 and 40" in line for line in notes)
    one = r.only([3])
    assert any("FID, KID and MMD need 2 volumes" in line for line in missing(one, r))
    assert set(plain(one, r, setup)) == {"swd", "nearest"}
    assert all(s.interval is None for s in found)  # a bootstrap of four says nothing


def test_parts_of_a_set(tmp_path):
    r = points(tmp_path, 20)
    part = r.only([4, 7, 9])
    assert torch.equal(part.embedding, r.embedding[[4, 7, 9]])
    fresh = Points(
        replace(r.features, files=tuple(r.features.files[i] for i in (4, 7, 9))), r.extractor
    )
    torch.testing.assert_close(fresh.embedding, part.embedding)
    assert part.gaussians["axial"].count == 12
    assert even(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert even(100, 3).tolist() == [0, 50, 99]


def test_real_volumes_of_one_kind_are_near_each_other(world, kept):
    """Through the network: sets of the same kind are nearer than a brighter one."""
    r, same, bright = (
        Points(material(world / name, kept).features, "random-3d")
        for name in ("others", "same", "bright")
    )
    setup = Setup(r, draws=10)
    near, far = plain(same, r, setup), plain(bright, r, setup)
    for name in ("fid", "kid", "mmd", "swd"):
        assert near[name] < 0.5 * far[name], name
