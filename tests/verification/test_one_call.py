import pytest
import torch

from neuromf.generation.generator import Generator
from neuromf.generation.model import load_model
from neuromf.verification.one_call import one_call


def test_samples_are_the_generators_normalised(model):
    found = one_call(str(model), samples=3).values
    generator = Generator(load_model(model), device="cpu")
    drawn = generator.config.stats.normalise(torch.cat([generator.latent(i) for i in range(3)]))
    assert found["sample_std_high"] == pytest.approx(float(drawn.std((0, 2, 3, 4)).max()), rel=1e-6)
    assert found["sample_mean"] == pytest.approx(float(drawn.mean((0, 2, 3, 4)).abs().max()))
    assert (found["samples"], found["samples_not_finite"]) == (3, 0)
