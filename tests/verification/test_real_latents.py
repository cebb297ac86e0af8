import pytest

from neuromf.latents.store import LatentStore
from neuromf.verification.real_latents import real_latents


def test_statistics_augmentation_and_outputs(encoded, model, vae_folder):
    section = real_latents(encoded, str(model), str(vae_folder))
    found = section.values
    assert found["latents"] == len(LatentStore(encoded).entries)
    assert found["training_mean"] < 1e-4
    assert found["training_std_low"] == pytest.approx(1, abs=1e-3)
    assert found["held_out_mean"] > found["training_mean"]
    assert found["noise_low"] == pytest.approx(1, abs=0.1)
    assert 0.95 <= found["scale_low"] < 1 < found["scale_high"] <= 1.05
    assert found["latents_not_finite"] == found["outputs_not_finite"] == 0
    assert found["flip_ssim"] <= 1
    assert [row[0] for row in section.rows] == ["training", "held out"]


def test_a_model_of_another_shape_is_refused(encoded):
    with pytest.raises(ValueError, match=r"model=embedded draws latents of \(4, 20, 24, 20\)"):
        real_latents(encoded, "embedded")
