"""The exponent of a group, by its axis or by the label of its arm."""

import pytest

from neuromf.paper.arms_table import Group
from neuromf.paper.exponents import by_exponent, exponent
from neuromf.runtime.config import load
from neuromf.training.config import TrainConfig


@pytest.mark.parametrize(
    ("values", "p"),
    [
        ({"prediction": "x", "p": "1.25"}, 1.25),
        ({"arm": "p-1.5"}, 1.5),
        ({"arm": "gaussian"}, 2.0),
        ({"arm": "skip"}, None),
    ],
)
def test_exponents(values, p):
    assert exponent(Group("g", values, {0: 1.0})) == p


def test_the_arm_that_names_none_has_that_of_its_preset():
    """studies/brains.yaml trains preset=flow2mm, and its arm gaussian changes nothing."""
    config = load(TrainConfig, ["preset=flow2mm", "latents=x"], "train")
    assert config.objective.p == exponent(Group("g", {"arm": "gaussian"}, {}))


def test_of_one_prediction():
    groups = [
        Group(f"{prediction}{p}", {"prediction": prediction, "p": p}, {0: 1.0})
        for prediction in "xu"
        for p in ("2", "1")
    ]
    assert [g.name for g in by_exponent(groups, "u").values()] == ["u1", "u2"]
