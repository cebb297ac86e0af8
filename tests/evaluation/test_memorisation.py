"""Copies of training data are found, with their pictures; new volumes are not taken for copies."""

import shutil

import pytest
import torch

from evaluation.support import measured
from features.support import write_set
from neuromf.evaluation import registry
from neuromf.evaluation.memorisation import TrainingComparison, compare_with_training
from neuromf.evaluation.points import Extractor
from neuromf.features.extractors import load_measure
from neuromf.metrics.memorisation import Memorisation
from neuromf.runtime.randomness import Purpose, generator


@pytest.mark.parametrize("space", ["voxels", "random-3d"])
def test_copies_are_found(world, kept, tmp_path, space):
    train = measured(world / "others", kept)
    held_out = measured(world / "same", kept)
    fresh = measured(write_set(tmp_path / "fresh", range(300, 312)), kept)
    shutil.copytree(world / "others", tmp_path / "stolen")
    stolen = measured(tmp_path / "stolen", kept)
    extractor = None if space == "voxels" else Extractor(space, load_measure(space))
    found = compare_with_training(stolen, held_out, train, extractor)
    assert found.memorisation.flagged.all()
    assert found.memorisation.ratio < 1e-3
    assert all(a.name == b.name for a, b, _ in found.closest)
    clean = compare_with_training(fresh, held_out, train, extractor, 200)
    scores = {s.key: s for s in registry.scores(clean)}
    flagged, nearer = scores[f"copies/{space}/flagged"], scores[f"copies/{space}/nearer"]
    assert flagged.value < 0.5
    assert 0.2 < nearer.value < 0.8
    assert nearer.interval.low < 0.5 < nearer.interval.high
    assert flagged.beside["real"].mean == pytest.approx((0.05 * 11 + 1) / 13)


def test_held_out_people_do_not_meet_themselves(world, kept):
    """A reference file that is in the training folder too is compared with the others."""
    train = measured(world / "others", kept)
    found = compare_with_training(train, train.only([0, 1, 2, 3]), train, None)
    assert (found.memorisation.samples == 0).all()
    assert (found.memorisation.held_out > 0).all()
    assert (
        compare_with_training(train, train.only([0]), train.only([0]), None) is None
    )  # nobody left to compare with


def test_shares_end_at_one():
    """Nearly all samples lie near training volumes: the bootstrap alone would reach beyond all."""
    samples = torch.cat([torch.full((29,), 0.1), torch.tensor([3.0])])
    held_out = torch.linspace(0.3, 4, 20)
    found = TrainingComparison("voxels", Memorisation(samples, held_out), [], 200)
    scores = {s.key.rpartition("/")[2]: s for s in registry.scores(found)}
    for key in ("flagged", "nearer"):
        assert scores[key].interval.low < scores[key].value < scores[key].interval.high == 1


def test_the_seed_draws_other_bootstrap_samples():
    """That of seed 0 is what it always was."""
    distances = Memorisation(torch.linspace(0.1, 3, 30), torch.linspace(0.3, 4, 20))
    first, again, other = (
        TrainingComparison("voxels", distances, [], 50, seed).bootstrap.a for seed in (0, 0, 1)
    )
    assert first.equal(again)
    assert not first.equal(other)
    chance = generator(Purpose.BOOTSTRAP, 0, 0)
    drawn = torch.randint(30, (30,), generator=chance).bincount(minlength=30)
    assert first[0].equal(drawn.float())
