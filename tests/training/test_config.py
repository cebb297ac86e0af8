"""Settings: the learning rate and the times of an update, and what is refused."""

import pytest

from neuromf.runtime import config as settings
from neuromf.training.config import TrainConfig


def test_rectified_flow_is_two_values_that_go_together():
    flow = settings.load(TrainConfig, ["times.equal_fraction=1", "objective.jvp=none"], "train")
    assert flow.times.equal_fraction == 1
    for words in (["times.equal_fraction=1"], ["objective.jvp=none"]):
        with pytest.raises(settings.ConfigError, match="rectified flow"):
            settings.load(TrainConfig, words, "train")


def test_auxiliary_flow_matching_needs_samples_on_paths():
    secants = ["teacher=folder", "distillation.target=trajectory", "objective.flow_weight=1"]
    with pytest.raises(settings.ConfigError, match="flow_weight goes with samples on paths"):
        settings.load(TrainConfig, secants, "train")
    flow = ["times.equal_fraction=1", "equal_fraction=null", "objective.jvp=none"]
    with pytest.raises(settings.ConfigError, match="flow matching already"):
        settings.load(TrainConfig, [*flow, "objective.flow_weight=1"], "train")


def test_ramps_come_from_words():
    config = settings.load(
        TrainConfig, ["equal_fraction={start: 1.0, end: 0.5, begin: 0.2, finish: 0.4}"], "train"
    )
    assert [config.times_at(u).equal_fraction for u in (0, 30_000, 50_000)] == pytest.approx(
        [1.0, 0.75, 0.5]
    )
    assert config.times_at(0).mean == config.times.mean


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("updates=0", "updates is 0"),
        ("batch=-1", "batch is -1"),
        ("samples.nfe=[1,0]", "samples: nfe is"),
        ("ema=[1.0]", "ema is"),
        ("ema=[]", "ema is"),
        ("optimiser.lr=0", "lr 0"),
        ("optimiser.betas=[0.9,1.0]", "betas"),
        ("objective.tangent=head", "v_head_blocks"),
        ("compile=true", "two-stream"),
        ("slurm.hours=0", "launch=slurm slurm.partition=gpu"),
        ("scale=0.3", "'scale' in .* is called 'latent_scale' now"),
        ("loaders=2", "called 'num_workers' now"),
        ("samples.calls=[1]", "called 'samples.nfe' now"),
        ("network.head_channels=[0,16]", "called 'network.attention_head_channels' now"),
        ("seed=-1", "seed is -1"),
        ("guard.skipped=0", "guard: .*skipped 0"),
        ("diagnostics.batch=0", "diagnostics: .*batch 0"),
        ("evaluation.projections=0", "evaluation: .*projections 0"),
        ("equal_fraction={start: 1.0, end: -0.5}", "equal_fraction goes from 1.0 to -0.5"),
        ("optimizer.lr=1", "did you mean"),
    ],
)
def test_refused(word, said):
    with pytest.raises(settings.ConfigError, match=said):
        settings.load(TrainConfig, [word], "train")
