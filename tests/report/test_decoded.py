"""Samples as volumes, by the model and the VAE of a run; the reason where there are none."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from neuromf.report.decoded import decoded, in_words
from neuromf.report.trained import read_trained
from report.support import make_run, write_samples


@pytest.fixture
def folder(tmp_path, model_folder):
    """A run whose model and VAE are real."""
    folder = make_run(tmp_path / "run", parts=("log",))
    shutil.copytree(model_folder, folder / "model")
    write_samples(folder / "samples", shape=(4, 4, 6, 4))
    return folder


def test_the_last_samples_in_fewest_and_most_calls(folder):
    found = decoded(read_trained(folder))
    assert found.missing == ""
    assert [v.name for v in found.volumes] == ["update 200, 1 call", "update 200, 2 calls"]
    [one] = decoded(read_trained(folder), ("fewest",)).volumes
    assert one.name == "run, update 200, 1 call"


def test_why_there_is_none(folder, monkeypatch):
    path = folder / "samples" / "update-00000200.safetensors"
    save_file({k: z * torch.nan for k, z in load_file(path).items()}, path)
    assert "NaN" in decoded(read_trained(folder)).missing
    monkeypatch.setattr("neuromf.report.decoded.MOST_VOXELS", 10)
    assert "take long" in decoded(read_trained(folder)).missing
    path.unlink()
    assert "not there" in decoded(read_trained(folder)).missing
    shutil.rmtree(folder / "samples")
    assert decoded(read_trained(folder)) == ([], "the run drew no samples")


def test_a_run_without_a_model(tmp_path):
    assert "not there" in decoded(read_trained(make_run(tmp_path / "run"))).missing


def test_calls_in_words():
    assert (in_words(1), in_words(30)) == ("1 call", "30 calls")
