import pytest
import torch

from neuromf.features.backbones import medicalnet
from neuromf.fetch import fetch
from neuromf.pretrained.download import REMOTES
from neuromf.pretrained.statedict import WeightsError


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path / "home"))


def test_other_weights_under_the_name_are_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save(medicalnet(50).state_dict(), path)
    with pytest.raises(WeightsError, match="does not fit"):
        fetch("medicalnet10", path)
    assert set(REMOTES) >= {"radimagenet", "medicalnet10", "medicalnet50"}
