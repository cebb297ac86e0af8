"""Sizes of regions: equal and shifted ones, volumes that could not be segmented."""

import math

import pytest
import torch

from evaluation.support import measured
from neuromf.evaluation import registry
from neuromf.evaluation.metric import draw_bootstrap
from neuromf.evaluation.region_metrics import region_comparisons, segmentation_comparison


def with_sizes(s, shift, seed):
    chance = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(s), generator=chance, dtype=torch.float64)
    s.sizes = {"GM": 600 + shift + 40 * noise}
    return s


def values(a, r):
    (found,) = region_comparisons(a, r, "by hand")
    return registry.point_estimates(found)


def test_equal_and_shifted_sizes(world, kept):
    same, r = (
        with_sizes(measured(world / name, kept), shift, seed)
        for seed, (name, shift) in enumerate((("same", 30.0), ("others", 0.0)))
    )
    found = values(same, r)
    assert found["regions/GM/wasserstein"] == pytest.approx(30, abs=20)
    assert values(r, r)["regions/GM/wasserstein"] == 0
    assert values(r, r)["regions/GM/kl"] == 0

    same.sizes["GM"][3] = torch.nan  # not segmented: left out of its own sizes
    gap = values(same, r)["regions/GM/wasserstein"] - found["regions/GM/wasserstein"]
    assert abs(gap) < 20
    same.sizes["GM"][:] = torch.nan
    assert values(same, r) == {}


def test_volumes_without_a_brain_are_counted(world, kept):
    same, r = (with_sizes(measured(world / n, kept), 0.0, 0) for n in ("same", "others"))
    same.sizes["GM"][3] = torch.nan
    (found,) = segmentation_comparison(same, r, "by hand")
    (share,) = registry.scores(found)
    assert share.key == "regions/found"
    assert share.value == pytest.approx(11 / 12)
    assert share.beside["real"].mean == 1
    r.sizes = {}
    assert segmentation_comparison(same, r, "by hand") == []


def test_intervals_and_notes(world, kept):
    same, r = (
        with_sizes(measured(world / n, kept), 0.0, i) for i, n in enumerate(("same", "others"))
    )
    bootstrap = draw_bootstrap(len(same), len(r), 50, 0, 1)
    (found,) = region_comparisons(same, r, "by hand", bootstrap)
    scores = {s.key: s for s in registry.scores(found)}
    assert scores["regions/GM/wasserstein"].note == "by hand"
    assert scores["regions/GM/wasserstein"].label == "GM: Wasserstein, ml"
    assert "equal numbers" in scores["regions/GM/kl"].note
    low, high = scores["regions/GM/wasserstein"].interval
    assert low < scores["regions/GM/wasserstein"].value < high
    assert scores["regions/GM/r"].better == "higher"
    assert scores["regions/GM/r"].interval is None
    assert not any(math.isnan(v) for v in scores["regions/GM/wasserstein"].replicates)
