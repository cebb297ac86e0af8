import pytest

from neuromf.training.decoder_config import TrainDecoderConfig


def test_learning_rate():
    config = TrainDecoderConfig(updates=110, warmup=10)
    factors = [config.optimiser.factor(u, config.updates) for u in (4, 9, 60, 109)]
    assert factors == pytest.approx([0.5, 1.0, (1 + 0.01) / 2, 0.01], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": 18}, "patch is 18: a multiple of 4"),
        ({"updates": 0}, "updates is 0"),
        ({"lr": 0.0}, "lr 0.0"),
        ({"warmup": -1}, "warmup -1"),
        ({"spectrum": -1.0}, "spectrum is -1.0: a number, 0 or more"),
        ({"teacher": float("inf")}, "teacher is inf"),
        ({"latent_noise": float("nan")}, "latent_noise is nan"),
        ({"noisy": 1.5}, r"noisy in \[0, 1\]"),
        ({"seed": -1}, "neither is negative"),
    ],
)
def test_settings_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        TrainDecoderConfig(**change)
