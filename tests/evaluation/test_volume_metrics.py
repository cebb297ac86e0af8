"""Detail and latents of equal and of unlike sets."""

import pytest

from evaluation.support import measured
from neuromf.evaluation import registry
from neuromf.evaluation.metric import draw_bootstrap
from neuromf.evaluation.volume_metrics import channel_moments, volume_comparisons
from neuromf.features.extractors import load_measure
from neuromf.features.plain import SPECTRUM


def values(a, r, latents=None):
    compared = volume_comparisons(a, r, latents)
    return {k: v for c in compared for k, v in registry.point_estimates(c).items()}


def test_detail(world, kept):
    same, r = measured(world / "same", kept), measured(world / "others", kept)
    high = [s.features.stacked(SPECTRUM, "high").double().mean() for s in (same, r)]
    assert values(same, r) == {"spectrum/high": pytest.approx(float(high[0] / high[1]))}
    assert values(r, r)["spectrum/high"] == 1

    bootstrap = draw_bootstrap(len(same), len(r), 50, 0, 1)
    (found,) = volume_comparisons(same, r, None, bootstrap)
    (score,) = registry.scores(found)
    assert score.interval.low < score.value < score.interval.high
    assert len(score.replicates) == 50


def test_latents(world, kept, vae_folder):
    name = f"latents:{vae_folder}"
    latents = load_measure(name)
    measures = ("voxels", "spectrum", name)
    r, same, bright = (measured(world / n, kept, measures) for n in ("others", "same", "bright"))
    near, far = values(same, r, latents), values(bright, r, latents)
    assert values(r, r, latents)["latents/swd"] == 0
    assert values(r, r, latents)["latents/spread"] == 1
    assert near["latents/swd"] < far["latents/swd"]
    assert near["latents/shift"] < far["latents/shift"]
    mean, std = channel_moments(r, latents)
    assert mean.shape == std.shape == (4,)
