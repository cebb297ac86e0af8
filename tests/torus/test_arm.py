import pytest

from neuromf.torus import Arm


@pytest.mark.parametrize(
    "options", [{"epochs": 0}, {"batch": 0}, {"samples": -1}, {"lr": float("nan")}], ids=str
)
def test_an_arm_that_could_not_train_is_refused(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is"):
        Arm(**options)
