import pytest

from neuromf.training.vae_config import TrainVAEConfig


def test_learning_rate():
    config = TrainVAEConfig(updates=110, warmup=10)
    assert [config.optimiser.factor(u, config.updates) for u in (0, 4, 9)] == pytest.approx(
        [0.1, 0.5, 1.0]
    )
    assert config.optimiser.factor(60, 110) == pytest.approx((1 + 0.01) / 2)
    assert config.optimiser.factor(109, 110) == pytest.approx(0.01, abs=1e-3)
    assert TrainVAEConfig(updates=4, warmup=10).optimiser.factor(3, 4) == pytest.approx(
        0.4
    )  # a run shorter than its warm-up


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 18}, "multiple of 4"),
        ({"updates": 0}, "updates is 0"),
        ({"lr": 0.0}, "lr above 0"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        TrainVAEConfig(**change)
