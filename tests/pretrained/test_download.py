import json

import pytest
import torch

from neuromf.autoencoder.load import load_vae
from neuromf.autoencoder.maisi import MaisiNetwork
from neuromf.fetch import fetch
from neuromf.pretrained.download import cached_weights, describe
from neuromf.pretrained.statedict import WeightsError


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("hub") / "autoencoder_v1.pt"
    torch.save({"unet_state_dict": MaisiNetwork().vae.state_dict(), "epoch": 9}, path)
    return path


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


def test_from_a_file(checkpoint, home):
    path = fetch("maisi-v1", checkpoint)
    assert path == home / "maisi-v1.safetensors" == cached_weights("maisi-v1")
    record = json.loads((home / "maisi-v1.json").read_text())
    assert len(record["sha256"]) == 64
    assert record["repository"] == "nvidia/NV-Generate-CT"
    assert load_vae("maisi").name == "maisi-v1"
    assert "maisi-v1     here" in describe()
    assert "maisi-v2     not here" in describe()


def test_another_file_later_is_refused(checkpoint, tmp_path):
    fetch("maisi-v1", checkpoint)
    other = tmp_path / "other.pt"
    torch.save(MaisiNetwork().vae.state_dict(), other)
    with pytest.raises(WeightsError, match="but maisi-v1 has"):
        fetch("maisi-v1", other)


def test_a_file_of_something_else_is_refused_and_nothing_kept(tmp_path, home):
    torch.save({"a": torch.zeros(3)}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="130 missing"):
        fetch("maisi-v1", tmp_path / "a.pt")
    assert not home.exists()
    with pytest.raises(ValueError, match="unknown weights 'maisi-v9': maisi-v1, maisi-v2"):
        fetch("maisi-v9")


def test_weights_that_changed_since_they_were_fetched_are_not_used(checkpoint, home):
    path = fetch("maisi-v1", checkpoint)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="was changed since it was fetched"):
        cached_weights("maisi-v1")
