"""What cannot be told is told, with numbers that follow from the seeds."""

import pytest

from neuromf.study.collected import collect
from neuromf.study.families import families
from neuromf.study.limits import limits, of_seeds
from study.support import toy_study


def said(folder, axes, seeds):
    toy_study(folder, axes, seeds)
    found = collect(folder, ["distance_1"])
    return " ".join(limits(found, families(found.table)))


def test_seeds():
    assert "not tested" in of_seeds(1)
    three = of_seeds(3)
    assert "differences of 3.1 standard deviations between seeds" in three
    assert "of 3.3 standard deviations of the differences" in three
    assert "no p below 0.1, paired 0.25" in three
    assert "no sign of equality" in three
    assert "no sign of equality" not in of_seeds(6)
    assert "the fewest" in of_seeds(3, equal=False)


@pytest.mark.parametrize(
    ("axes", "seeds", "text"),
    [
        ({"p": ["1", "2"]}, (0,), "not tested"),
        ({"p": ["1", "2"]}, (0, 1), "With 2 seeds"),
        ({"p": ["1"]}, (0, 1, 2), "nothing to compare"),
    ],
)
def test_studies(tmp_path, axes, seeds, text):
    assert text in said(tmp_path, axes, seeds)


def test_several_measures_are_not_corrected_for(tmp_path):
    toy_study(tmp_path, {"p": ["1", "2"]})
    found = collect(tmp_path)
    assert "not over measures" in limits(found, families(found.table))[-1]
