"""The nearest volume of another person."""

from dataclasses import replace

import torch

from evaluation.support import measured
from neuromf.evaluation.measured import MeasuredSet
from neuromf.evaluation.neighbours import equal, neighbours, one_person
from neuromf.evaluation.sets import Item, VolumeSet


def test_the_nearest_is_of_another_person(world, kept):
    a = measured(world / "others", kept)
    found = neighbours(a, a)
    assert (found.index != torch.arange(len(a))).all()
    assert (found.distance > 0).all()
    twins = VolumeSet(
        "t", tuple(Item(i.path, i.name, str(n // 2)) for n, i in enumerate(a.volumes.items))
    )
    other = neighbours(MeasuredSet(twins, a.features), MeasuredSet(twins, a.features))
    assert all(int(j) // 2 != n // 2 for n, j in enumerate(other.index))


def test_one_name_in_two_data_sets_is_two_people(world, kept):
    a = measured(world / "others", kept)

    def named(dataset):
        items = (replace(i, person="sub-01", dataset=dataset) for i in a.volumes.items)
        return MeasuredSet(VolumeSet("s", tuple(items)), a.features)

    same_file = torch.eye(len(a), dtype=torch.bool)
    assert one_person(named("OASIS"), named("ADNI")).equal(same_file)
    assert one_person(named("OASIS"), named("oasis")).all()
    assert one_person(named(""), named("ADNI")).all()


def test_equal_texts_but_not_empty_ones():
    assert equal(["a", "", "b"], ["b", "a", ""]).tolist() == [
        [False, True, False],
        [False, False, False],
        [True, False, False],
    ]
