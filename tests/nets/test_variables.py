import math

import pytest

from neuromf.flow.guidance import GUIDANCE
from neuromf.nets.variables import Conditions, Variable, fitted

AGE, SEX = Variable("age", (), 20.0, 80.0), Variable("sex", ("f", "m"))


def test_vocabulary_and_range_are_those_of_the_data():
    assert fitted("age", "number", ["31", " 74.5 ", "", "n/a", "20"]) == Variable(
        "age", (), 20.0, 74.5
    )
    assert fitted("sex", "category", ["m", "f", "", "m"]) == SEX
    assert (AGE.kind, SEX.kind) == ("number", "category")
    with pytest.raises(ValueError, match="not known of any"):
        fitted("age", "number", ["", "n/a"])
    with pytest.raises(ValueError, match=r"'old'.*category takes words"):
        fitted("age", "number", ["31", "old"])


@pytest.mark.parametrize("text", ["", "n/a", "NaN", "unknown"])
def test_missing_values(text):
    assert math.isnan(AGE.read(text))
    assert math.isnan(SEX.read(text))


def test_values_are_read_and_unknown_ones_refused_with_the_known():
    assert (AGE.read("70.5"), SEX.read("m")) == (70.5, 1.0)
    with pytest.raises(ValueError, match=r"sex is 'male': one of f, m"):
        SEX.read("male")
    with pytest.raises(ValueError, match="finite number"):
        AGE.read("inf")


def test_a_number_outside_the_training_range_is_said_with_the_range():
    conditions = Conditions((AGE, SEX))
    assert conditions.outside({"age": "90", "sex": "m"}) == ["age=90, training had 20 to 80"]
    assert not conditions.outside({"age": "80"})
    assert not conditions.outside({"age": "n/a"})


def test_conditions_of_rows():
    found = Conditions((AGE, SEX)).condition([{"age": "30"}, {"sex": "f"}, {}])
    assert found is not None
    assert found["age"].nan_to_num(-1).tolist() == [30, -1, -1]
    assert found["sex"].nan_to_num(-1).tolist() == [-1, 0, -1]
    assert Conditions().condition([{}]) is None
    with pytest.raises(ValueError, match=r"'height' is not one of this model's: age, sex"):
        Conditions((AGE, SEX)).condition([{"height": "2"}])
    with pytest.raises(ValueError, match="has none"):
        Conditions().condition([{"age": "2"}])


def test_guidance_of_rows():
    guided = Conditions((AGE,), guidance=3.0)
    found = guided.condition([{"age": "30"}], (2.0, 0.1, 0.9))
    assert found is not None
    assert found[GUIDANCE].tolist() == [pytest.approx([2.0, 0.1, 0.9])]
    for wrong in [(4.0, 0, 1), (0.5, 0, 1), (2.0, 0.5, 0.5), (2.0, 0, 1.5)]:
        with pytest.raises(ValueError, match="guidance is"):
            guided.condition([{}], wrong)
    with pytest.raises(ValueError, match="trained without"):
        Conditions((AGE,)).condition([{}], (2.0, 0, 1))


def test_what_conditions_may_grow_to():
    age, sex, other = Variable("age", (), 20.0, 80.0), Variable("sex", ("f", "m")), Variable("x")
    both = Conditions((age, sex))
    guided = Conditions((sex, age), 3.0)
    assert all(guided.extends(own) for own in (Conditions(), both, guided, Conditions((age,))))
    assert not both.extends(guided)
    assert not guided.extends(Conditions((age,), 2.0))
    assert not both.extends(Conditions((age, other)))
    assert not both.extends(Conditions((Variable("age", (), 20.0, 81.0),)))


def test_what_no_condition_can_be():
    with pytest.raises(ValueError, match="each once"):
        Conditions((AGE, AGE))
    with pytest.raises(ValueError, match="guidance needs conditions"):
        Conditions((), 2.0)
    with pytest.raises(ValueError, match="is called 'guidance'"):
        Variable("guidance")
    with pytest.raises(ValueError, match="finite range"):
        Variable("age", (), 2.0, 1.0)
