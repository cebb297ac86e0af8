"""What readers are told of sets and numbers."""

import pytest

from evaluation.support import made_points, measured
from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.feature_comparison import FeatureComparison, FeatureSpace
from neuromf.evaluation.measured import MeasuredSets
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.notes import on_equal_files, on_numbers, on_sampling, on_sets
from neuromf.evaluation.sets import read_set


@pytest.fixture
def measurer(world, kept, tmp_path):
    return Measurer(
        EvaluationConfig(
            reference=str(world / "real"),
            extractors=("random-3d",),
            morphology="none",
            cache=str(kept),
            workers=1,
            n=5,
        ),
        tmp_path,
    )


def test_small_sets_say_what_is_missing(tmp_path):
    r = made_points(tmp_path, 40)
    space = FeatureSpace(r)
    four = made_points(tmp_path, 4, seed=2)
    lines = list(on_numbers(FeatureComparison(four, r, space)))
    assert lines[0] == (
        "random-2.5d: precision, recall, density and coverage need 6 volumes in each set: "
        "4 and 40 are there"
    )
    assert "below 5 volumes in each set there are no intervals" in lines[1]
    lines = list(on_numbers(FeatureComparison(r.only([3]), r, space)))
    assert any("fid, kid and mmd need 2 volumes" in line for line in lines)
    lines = list(on_numbers(FeatureComparison(made_points(tmp_path, 9, seed=1), r, space)))
    assert lines == [
        "random-2.5d: 5 neighbours of 9 volumes are many: precision, recall, density and "
        "coverage tell little below 30"
    ]
    assert list(on_numbers(FeatureComparison(r, r, space))) == []


def test_equal_files_are_noted(world, kept, caplog):
    same, bright = (measured(world / name, kept) for name in ("same", "bright"))
    (note,) = on_equal_files(same.only([2]), same)
    assert note.startswith("1 files of same are identical to files of the reference")
    assert note in caplog.text
    assert list(on_equal_files(bright, same)) == []


def test_what_is_not_there_is_noted(world, kept, measurer):
    same, others = (measured(world / name, kept) for name in ("same", "others"))
    lines = list(on_sets(MeasuredSets([same], others), measurer))
    assert any("train= names no training data" in line for line in lines)
    assert any("no reconstruction ceiling" in line for line in lines)
    lines = list(on_sets(MeasuredSets([same, same.only([0])], others, train=same), measurer))
    assert "12 files of same are training files" in lines
    assert "1 files are in both same and same" in lines
    with pytest.raises(ValueError, match="needs other people"):
        list(on_sets(MeasuredSets([same], others, real=others.only([0])), measurer))


def test_draws_are_noted(world, measurer):
    assert list(on_sampling([read_set(str(world / "same"))], measurer)) == [
        "drawn at random: 5 of 12 of same"
    ]
