import pytest

from neuromf.training.distillation import ALONE, Distillation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "points"}, "target is 'points'"),
        ({"steps": 1}, "steps is 1"),
        ({"guidance": 0.5}, "guidance is 0.5"),
        ({"guidance": 2.0}, "needs the model folder of a guide, or unconditional"),
        ({"guide": ALONE}, "a guide a guidance above 1"),
    ],
)
def test_distillation_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Distillation(**settings)


def test_a_teacher_that_is_its_own_guide():
    assert Distillation(guide=ALONE, guidance=2.0).guide == "unconditional"
