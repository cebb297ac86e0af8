import pytest

from neuromf.training.mask_config import TrainMaskAutoencoderConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"updates": 0}, "updates is 0"),
        ({"check_masks": 0}, "check_masks is 0"),
        ({"patch": 30}, "a multiple of 4, 16 or more"),
        ({"patch": 12}, "a multiple of 4, 16 or more"),
        ({"latent_noise": -0.1}, "latent_noise -0.1"),
        ({"far": 0.0}, "above 0"),
        ({"ema": 1.0}, "ema in"),
        ({"seed": -1}, "not negative"),
        ({"lr": 0.0}, "lr"),
    ],
)
def test_settings_that_make_no_training_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        TrainMaskAutoencoderConfig(**change)


def test_the_learning_rate_ends_at_a_hundredth():
    config = TrainMaskAutoencoderConfig(updates=100, warmup=10)
    factors = [config.optimiser.factor(i, 100) for i in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == 1
    assert factors[-1] == pytest.approx(0.01, abs=0.002)
