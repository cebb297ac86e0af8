import pytest
import torch

from neuromf.evaluation.reconstruction_score import MEASURES, Score, measure, summarise, telling


class Vae:
    name, sha256 = "tiny", "0"


def scores(*brains):
    return [Score(f"v{i}", *4 * [0.5], brain, *3 * [0.5]) for i, brain in enumerate(brains)]


def test_a_volume_and_itself():
    x = torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(0))
    found = measure("x", x, x, 1.0)
    assert (found.ssim, found.gmsd, found.hf_ratio) == pytest.approx((1, 0, 1))


def test_the_mean_over_volumes():
    found = summarise(Vae, scores(0.2, 0.4))
    assert set(found["mean"]) == set(MEASURES)
    assert found["mean"]["ssim_brain"]["mean"] == pytest.approx(0.3)
    assert (found["volumes"], len(found["each"])) == (2, 2)


def test_worst_and_median():
    assert telling(scores(0.9, 0.1, 0.5, 0.7, 0.3)) == ["v1", "v2"]
    assert telling(scores(0.9)) == ["v0"]
    assert telling(scores(0.9, 0.1)) == ["v1", "v0"]
