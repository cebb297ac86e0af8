"""Volumes against volumes: the nearest, partners of the same name, pairs that share volumes."""

import numpy as np
import pytest
import torch

from evaluation.support import measured
from features.support import blob
from neuromf.data.volume import Volume
from neuromf.evaluation import registry
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.likeness import (
    ENDS,
    LikenessComparison,
    by_metric,
    choose_pairs,
    feature_partners,
    likeness,
    likeness_references,
    overlap,
    partners_of,
)
from neuromf.evaluation.pairs import compare_pairs
from neuromf.evaluation.points import Extractor
from neuromf.features.extractors import load_measure
from neuromf.metrics.intervals import counts
from neuromf.metrics.regions import dice
from neuromf.runtime.randomness import Purpose, generator
from neuromf.segmentation.tissue import segment
from support import placed, save_nifti


@pytest.fixture
def config():
    return EvaluationConfig(morphology="none", workers=1, pairs=9)


def compare(a, r, config, number):
    chosen = choose_pairs(a, r, config, number)
    return likeness(a, r, chosen, compare_pairs(chosen.pairs, a.features.job, 1))


def test_likeness_of_equal_and_of_unlike_sets(world, kept, config):
    r, same, bright = (measured(world / n, kept) for n in ("others", "same", "bright"))
    near, far = compare(same, r, config, 1), compare(bright, r, config, 2)
    assert near["psnr"].mean() > far["psnr"].mean() + 3
    assert len(near["ms_ssim"]) == len(near["psnr"]) == 9
    own = compare(r, r, config, 0)
    beside = likeness_references([near, {}, own], (12, 14, 0))
    found = LikenessComparison("voxels", 12, 14, near, beside, 200)
    scores = {s.key: s for s in registry.scores(found)}
    assert scores["voxels/psnr"].value == pytest.approx(float(near["psnr"].mean()))
    assert scores["voxels/psnr"].beside["real"].mean == pytest.approx(float(own["psnr"].mean()))
    assert scores["voxels/ms_ssim"].beside["real"].n == 14
    assert scores["voxels/ms_ssim"].note == "9 pairs"
    assert "cannot show sharpness" in scores["voxels/psnr"].note


def test_pairs_that_share_volumes_are_no_independent_draws():
    """Values of pairs that add up over volumes: the interval covers the truth, which Student's t over pairs does not."""
    chance = torch.Generator().manual_seed(0)
    ends = torch.combinations(torch.arange(20))
    hits = 0
    for _ in range(150):
        x = torch.randn(20, generator=chance, dtype=torch.float64)
        values = {"ms_ssim": x[ends[:, 0]] + x[ends[:, 1]], ENDS: ends}
        found = LikenessComparison("voxels", 20, 20, values, draws=200)
        (score,) = registry.scores(found)
        low, high = score.interval
        hits += low < 0 < high
    assert hits / 150 > 0.85


def test_tissues_are_segmented_once_a_file(kept, tmp_path, monkeypatch):
    """The Dice of a pair is taken from labels that were kept with the sizes: nothing is segmented for it again."""
    made = []
    monkeypatch.setattr(
        "neuromf.features.plain.segment", lambda volume: made.append(segment(volume)) or made[-1]
    )
    shape = (40, 48, 40)
    for seed in (1, 2):
        save_nifti(
            tmp_path / f"v{seed}_T1w.nii.gz",
            Volume(blob(seed, shape).voxels, placed(spacing=(4.0, 4.0, 4.0))),
        )
    dot = np.zeros(shape, np.float32)
    dot[10:13, 10:13, 10:13] = 0.5
    save_nifti(tmp_path / "w_T1w.nii.gz", Volume(dot, placed(spacing=(4.0, 4.0, 4.0))))
    found = measured(tmp_path, kept, ("voxels", "tissue"))
    one, other = (segmentation.labels for segmentation in made)
    both = overlap(found, found, 0, 1)
    assert both == {
        f"dice.{n}": dice(one == i, other == i) for i, n in enumerate(("CSF", "GM", "WM"), start=1)
    }
    assert 0 < both["dice.GM"] < 1
    assert overlap(found, found, 0, 2) == {}  # there is no brain
    assert len(made) == 2


def test_partners_are_found_by_name(world, kept, config):
    same, bright = measured(world / "same", kept), measured(world / "bright", kept)
    pairs = partners_of(bright, same, config)
    assert [pair.a.name for pair in pairs] == [pair.b.name for pair in pairs]
    assert len(pairs) == 9
    found = by_metric(list(compare_pairs(pairs, same.features.job, 1).values()))
    extractor = Extractor("random-3d", load_measure("random-3d"))
    assert 12 < float(found["psnr"].mean()) < 30
    assert partners_of(measured(world / "others", kept), same, config) == []
    (apart,) = feature_partners(bright, same, [extractor])
    (score,) = registry.scores(apart)
    assert score.key == "random-3d/partner"
    assert score.value > 0
    (equal,) = feature_partners(same, same, [extractor])
    assert registry.scores(equal)[0].value == 0


def test_the_seed_draws_other_bootstrap_samples():
    """That of seed 0 is what it always was."""
    first, other = (
        LikenessComparison("voxels", 20, 20, {}, draws=50, seed=seed).bootstrap.a for seed in (0, 1)
    )
    assert first.equal(counts(20, 50, generator(Purpose.BOOTSTRAP, 0, 0)))
    assert not first.equal(other)
