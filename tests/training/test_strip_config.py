import pytest

from neuromf.training.strip_config import TrainSkullstripConfig


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"held_out": 0}, "held_out is 0"),
        ({"updates": 0}, "updates is 0"),
        ({"ema": 1.0}, "ema in"),
        ({"lr": 0.0}, "above 0"),
    ],
)
def test_what_cannot_be(words, said):
    with pytest.raises(ValueError, match=said):
        TrainSkullstripConfig(**words)


def test_the_rate_warms_up_and_decays():
    optimiser = TrainSkullstripConfig(updates=100, warmup=10).optimiser
    assert optimiser.warmup == 10
    assert optimiser.decay.at(0.1) == pytest.approx(1)
    assert optimiser.decay.at(1.0) == pytest.approx(0.01)
