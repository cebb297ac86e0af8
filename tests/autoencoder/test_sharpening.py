import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.sharpening import high_pass, sharpened, with_sharpening
from support import tiny_vae

WITHIN = (..., slice(2, -2), slice(2, -2), slice(2, -2))  # where no border is seen


def wave(period: float, axis: int) -> torch.Tensor:
    """Two voxels a period are the Nyquist frequency."""
    phase = 2 * torch.pi * torch.arange(32) / period + 0.3
    line = torch.cos(phase).view([-1 if a == axis else 1 for a in range(5)])
    return line.expand(1, 1, 32, 32, 32)


@pytest.mark.parametrize("axis", [2, 3, 4])
@pytest.mark.parametrize(("period", "left"), [(2, 1.0), (4, 0.5), (8, 0.146447), (1e9, 0.0)])
def test_what_passes_of_a_wave(period, left, axis):
    x = wave(period, axis)
    torch.testing.assert_close(high_pass(x)[WITHIN], left * x[WITHIN], atol=1e-5, rtol=0)
    gain = 1 + 0.6 * left**2
    torch.testing.assert_close(sharpened(x, 0.6)[WITHIN], gain * x[WITHIN], atol=1e-5, rtol=0)


def test_what_does_not_change_stays_up_to_the_border():
    constant = torch.full((1, 1, 9, 10, 11), 0.7)
    torch.testing.assert_close(sharpened(constant, 0.6), constant)


def test_a_step_between_opposite_sides_is_no_fine_detail():
    ramp = torch.linspace(0, 1, 32).expand(1, 1, 32, 32, 32)
    assert high_pass(ramp)[WITHIN].abs().max() < 1e-6


def test_a_sharpening_vae_has_the_latent_space_of_its_own(tmp_path):
    vae = load_vae(str(tiny_vae(tmp_path / "tiny")))
    sharp = with_sharpening(vae, 0.6, "sharp")
    assert (sharp.name, sharp.space) == ("sharp", vae.space)
    assert sharp.sha256 not in (vae.sha256, with_sharpening(vae, 0.5, "sharp").sha256)
    assert set(vae.whole) < set(sharp.whole)

    x = torch.rand(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(sharp.encode(x), vae.encode(x))
    decoded = vae.decode(vae.encode(x))
    torch.testing.assert_close(sharp.decode(sharp.encode(x)), sharpened(decoded, 0.6))
    assert not torch.allclose(decoded, sharpened(decoded, 0.6))
