import pytest
import torch

from neuromf.training.held_out import SCORES, mean_scores


def test_scores_are_means_over_volumes():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(16, 16, 16, generator=generator)
    x[:4] = 0
    noisy = x + 0.05 * torch.randn(x.shape, generator=generator)
    one, other, both = (
        mean_scores(pairs) for pairs in ([(x, x * 0.9)], [(x, noisy)], [(x, x * 0.9), (x, noisy)])
    )
    assert tuple(both) == SCORES
    assert both["psnr"] == pytest.approx((one["psnr"] + other["psnr"]) / 2, abs=1e-3)
    assert one["hf_ratio"] == pytest.approx(0.81, abs=1e-3)  # energy is quadratic
    assert one["psnr_brain"] < one["psnr"]  # all of the error is where the volume is above 0


def test_nothing_is_held_out():
    assert mean_scores([]) == {}
