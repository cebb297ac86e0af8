"""Copies of training data are found, with their pictures; new volumes are not taken for copies."""

import shutil

import pytest

from evaluation.support import material
from features.support import write_set
from neuromf.evaluation.memorisation import copy_scores, find_copies


@pytest.mark.parametrize("space", ["voxels", "random-3d"])
def test_copies_are_found(world, kept, tmp_path, space):
    train = material(world / "others", kept)
    held_out = material(world / "same", kept)
    fresh = material(write_set(tmp_path / "fresh", range(300, 312)), kept)
    shutil.copytree(world / "others", tmp_path / "stolen")
    stolen = material(tmp_path / "stolen", kept)
    found = find_copies(stolen, held_out, train, space)
    assert found.memorisation.flagged.all()
    assert found.memorisation.ratio < 1e-3
    assert all(a.name == b.name for a, b, _ in found.closest)
    clean = find_copies(fresh, held_out, train, space)
    scores = {s.key: s for s in copy_scores(clean, 200)}
    flagged, nearer = scores[f"copies/{space}/flagged"], scores[f"copies/{space}/nearer"]
    assert flagged.value < 0.5
    assert 0.2 < nearer.value < 0.8
    assert nearer.interval.low < 0.5 < nearer.interval.high
    assert flagged.beside["real"].mean == pytest.approx((0.05 * 11 + 1) / 13)


def test_held_out_people_do_not_meet_themselves(world, kept):
    """A reference file that is in the training folder too is compared with the others."""
    train = material(world / "others", kept)
    found = find_copies(train, train.only([0, 1, 2, 3]), train, "voxels")
    assert (found.memorisation.samples == 0).all()
    assert (found.memorisation.held_out > 0).all()
    assert (
        find_copies(train, train.only([0]), train.only([0]), "voxels") is None
    )  # nobody left to compare with
