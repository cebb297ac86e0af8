"""Stages sized by a trial: updates that fit into minutes."""

import pytest

import stage_sizes
from neuromf.runtime.config import load
from neuromf.training.config import TrainConfig


@pytest.fixture
def config():
    return load(TrainConfig, ["preset=flow2mm", "batch=64"], "train")


def test_a_sized_stage_is_the_preset_with_other_updates_and_looks(config):
    sized = stage_sizes.sized(config, 8000)
    assert sized.updates == 8000
    assert sized.evaluation.every == sized.checkpoints.every == 1000
    assert (sized.network, sized.objective, sized.batch) == (config.network, config.objective, 64)


def test_the_file_of_a_stage_reads_back_equal(config, tmp_path):
    sized = stage_sizes.sized(config, 100)
    path = stage_sizes.write(tmp_path / "stages" / "flow2mm.yaml", sized)
    assert load(TrainConfig, [path], "train") == sized


def test_a_trial_is_short_and_looked_at_at_its_end_alone(config):
    brief = stage_sizes.brief(config, 60)
    assert (brief.updates, brief.log_every, brief.evaluation.every) == (60, 20, 0)


def test_the_last_row_of_a_trial_counts(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("update,seconds_per_update,loader_share\n1,9.0,0.5\n60,0.02,0.1\n")
    assert stage_sizes.measured(log) == (0.02, 0.1)
