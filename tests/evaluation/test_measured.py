"""Parts of measured sets, files in two of them, and whose volumes were reconstructed."""

import torch

from evaluation.support import measured
from neuromf.evaluation.measured import MeasuredSets, equal_files


def test_a_part_of_a_set(world, kept):
    whole = measured(world / "same", kept)
    whole.sizes = {"GM": torch.arange(12.0)}
    part = whole.only([2, 0])
    assert [i.name for i in part.volumes.items] == [whole.volumes.items[i].name for i in (2, 0)]
    assert part.sizes["GM"].tolist() == [2, 0]


def test_equal_files(world, kept):
    same, bright = (measured(world / name, kept) for name in ("same", "bright"))
    assert equal_files(same, same.only([1, 4])) == 2
    assert equal_files(same, bright) == 0


def test_reconstructions_are_of_people_by_name(world, kept):
    same, others = (measured(world / name, kept) for name in ("same", "others"))
    found = MeasuredSets([same], others, real=same, reconstruction=same.only([3, 1]))
    assert found.people is same
    assert found.reconstructed == [3, 1]
    assert MeasuredSets([same], others).people is others
    assert MeasuredSets([same], others).reconstructed == []
