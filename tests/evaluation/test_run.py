"""A run: every set gets the same metrics, and is compared with the same references."""

from dataclasses import replace

import pytest

from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.run import evaluate
from neuromf.evaluation.sets import read_set


@pytest.fixture
def config(world, kept):
    return EvaluationConfig(
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        vae="none",
        bootstrap=10,
        draws=2,
        pairs=4,
        cache=str(kept),
        workers=1,
    )


def test_every_set_has_the_same_metrics(config, world, tmp_path):
    sets = [read_set(str(world / name)) for name in ("same", "bright")]
    found, slices = evaluate(sets, Measurer(config, tmp_path))
    one, other = found.sets["same"], found.sets["bright"]
    assert [s.key for s in one.scores] == [s.key for s in other.scores]
    assert one.score("random-3d/fid").value < other.score("random-3d/fid").value
    assert one.score("nothing") is None
    assert found.title == "2 sets of 12 volumes"
    assert len([name for name in slices if name.startswith("volumes/")]) == 3 * 6
    assert found.reconstruction is None
    assert any("no VAE is named" in note for note in found.notes)
    assert any("train= names no training data" in note for note in found.notes)


def test_a_second_real_set_is_the_bound(config, world, tmp_path):
    config = replace(config, real=str(world / "others"))
    found, _ = evaluate([read_set(str(world / "same"))], Measurer(config, tmp_path))
    beside = found.sets["same"].score("random-3d/kid").beside
    assert (beside["real"].n, beside["real"].reference) == (12, 10)
    assert (beside["samples"].n, beside["samples"].reference) == (12, 10)
    assert found.title == "same: 12 volumes"
