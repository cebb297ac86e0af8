"""The learning rate over a run, and settings that could not train."""

import pytest

from neuromf.flow import Ramp
from neuromf.training.optimiser import Optimiser


def test_learning_rate_warms_up_and_decays():
    optimiser = Optimiser(warmup=10, decay=Ramp(1.0, 0.0, 0.5, 1.0, "cosine"))
    rates = [optimiser.factor(u, 100) for u in (0, 4, 9, 40, 75, 99)]
    assert rates[:4] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert rates[4] == pytest.approx(0.5)
    assert rates[5] < 0.01


@pytest.mark.parametrize(
    ("bad", "message"),
    [({"lr": 0.0}, "lr 0.0"), ({"clip": 0.0}, "clip 0.0"), ({"betas": (0.9, 1.0)}, "betas are")],
)
def test_bad_settings_are_named(bad, message):
    with pytest.raises(ValueError, match=message):
        Optimiser(**bad)
