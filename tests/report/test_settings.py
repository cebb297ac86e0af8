"""What differs from the preset: the one that was named, or else the nearest."""

from dataclasses import replace

import pytest

from neuromf.report.settings import Change, changes, named_preset, paired, read_settings
from neuromf.runtime.config import load, to_yaml
from neuromf.training.config import TrainConfig
from report.support import CONFIG


def test_changes_of_a_preset():
    config = load(TrainConfig, ["preset=flow2mm", "latents=mine", "optimiser.lr=0.001"], "train")
    assert changes("flow2mm", config) == (
        Change("latents", "''", "mine"),
        Change("optimiser.lr", "0.002", "0.001"),
    )
    assert changes("flow2mm", load(TrainConfig, ["preset=flow2mm"], "train")) == ()


def test_pairs_of_lines():
    lines = ["- a: 1", "+ a: 2", "+ b.c: [1, 2]", "- d: null"]
    assert paired(lines) == (
        Change("a", "1", "2"),
        Change("b.c", "", "[1, 2]"),
        Change("d", "null", ""),
    )


@pytest.mark.parametrize(
    ("record", "preset"),
    [
        ({"command": ["n", "train", "preset=flow2mm", "latents=x"]}, "flow2mm"),
        ({"command": ["n", "train", "latents=x", "--resume"]}, "small2mm"),
        ({"command": ["n", "train", "mine.yaml", "latents=x"]}, ""),
        ({"command": ["n", "train", "preset=gone"]}, ""),
        ({"command": ["n", "sweep", "study.yaml"]}, ""),
        ({"command": []}, ""),
        ({}, ""),
        ({"command": ["n", "train", "out=x", "--resume"], "earlier": [{"command": ["n", "train", "preset=brain192"]}]}, "brain192"),
    ],
)  # fmt: skip
def test_the_preset_that_a_command_names(record, preset):
    assert named_preset(record) == preset


def test_the_nearest_preset_where_none_is_named(tmp_path):
    config = load(TrainConfig, ["preset=flow2mm", "updates=7"], "train")
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    found = read_settings(tmp_path, {"command": ["n", "sweep", "s.yaml"]})
    assert (found.preset, found.named) == ("flow2mm", False)
    assert found.changes == (Change("updates", "2400", "7"),)
    assert found.config == config


def test_a_configuration_that_cannot_be_read_says_why(tmp_path):
    assert read_settings(tmp_path, {}).problem == "config.yaml is not there"
    (tmp_path / "config.yaml").write_text("unheard_of: 3\n")
    found = read_settings(tmp_path, {})
    assert found.config is None
    assert found.text == "unheard_of: 3\n"
    assert "not a configuration of this version" in found.problem


def test_an_earlier_version_is_read_by_its_names(tmp_path):
    text = to_yaml(replace(CONFIG, num_workers=3)).replace("num_workers", "loaders")
    (tmp_path / "config.yaml").write_text(text.replace("latent_scale", "scale"))
    found = read_settings(tmp_path, {})
    assert found.config.num_workers == 3
    assert found.config.latent_scale == 0.3
