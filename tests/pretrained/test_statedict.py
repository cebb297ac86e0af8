import os

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from monai.utils.enums import TraceKeys
from safetensors.torch import save_file
from torch import nn

from neuromf.pretrained.statedict import WeightsError, load_strict, plain, read_state, state_sha256


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


SHAPES = {
    "bare": lambda s: s,
    "unet_state_dict": lambda s: {
        "unet_state_dict": s,
        "epoch": 3,
        "epoch_finished": True,
        "scale_factor": torch.tensor(1.2),
    },
    "state_dict": lambda s: {"state_dict": s},
    "module": lambda s: {f"module.{k}": v for k, v in s.items()},
    "MetaTensor": lambda s: {
        "unet_state_dict": {k: MetaTensor(v) for k, v in s.items()},
        "scale_factor": MetaTensor(torch.tensor(0.96)),
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_checkpoints_of_every_known_shape(tmp_path, shape):
    source = network()
    torch.save(SHAPES[shape](source.state_dict()), tmp_path / "a.pt")
    state = read_state(tmp_path / "a.pt")
    assert all(type(v) is torch.Tensor for v in state.values())
    target = network(1)
    load_strict(target, state, "a.pt")
    assert state_sha256(target.state_dict()) == state_sha256(source.state_dict())


def test_safetensors(tmp_path):
    source = network()
    save_file(source.state_dict(), tmp_path / "a.safetensors")
    target = network(1)
    load_strict(target, read_state(tmp_path / "a.safetensors"), "a")
    assert state_sha256(target.state_dict()) == state_sha256(source.state_dict())
    (tmp_path / "a.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes()[:-8])
    with pytest.raises(WeightsError, match="not readable as safetensors"):
        read_state(tmp_path / "a.safetensors")


def test_wrong_keys_are_named():
    state = network().state_dict()
    del state["0.bias"]
    state["2.weight"] = torch.zeros(1)
    state["1.weight"] = torch.zeros(2, 5)
    with pytest.raises(
        WeightsError,
        match=r"1 missing: 0.bias; 1 unexpected: 2.weight; 1 of another shape: 1.weight \(2, 5\) for \(2, 4\)",
    ):
        load_strict(network(), state, "x.pt")


def test_nan_is_refused():
    state = network().state_dict()
    state["0.weight"][0, 0] = float("nan")
    with pytest.raises(WeightsError, match="NaN or Inf in 0.weight"):
        load_strict(network(), state, "x.pt")


class Named:
    """Pickled as Python 3.11.2 pickles a member of an enum."""

    def __init__(self, owner, name):
        self.owner, self.name = owner, name

    def __reduce__(self):
        return getattr, (self.owner, self.name)


def test_members_of_enums_as_an_early_python_3_11_wrote_them(tmp_path):
    key = Named(TraceKeys, "CLASS_NAME")
    content = {"state_dict": network().state_dict(), "key": key}
    torch.save(content, tmp_path / "a.pt")
    assert state_sha256(read_state(tmp_path / "a.pt")) == state_sha256(network().state_dict())

    for owner, name in ((nn.Linear, "forward"), (MetaTensor, "mro"), (TraceKeys, "mro")):
        torch.save({"state_dict": {}, "key": Named(owner, name)}, tmp_path / "b.pt")
        with pytest.raises(WeightsError, match="not opened|not readable"):
            read_state(tmp_path / "b.pt")


class Bomb:
    def __reduce__(self):
        return os.system, ("touch exploded",)


def test_a_pickle_that_would_run_code_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, tmp_path / "a.pt")
    with pytest.raises(
        WeightsError,
        match=r"holds more than tensors \(\w+\.system\), which could run code: it is not opened",
    ):
        read_state(tmp_path / "a.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [{"a": 1}, [torch.zeros(1)], {}, {"state_dict": {"a": "text"}}])
def test_files_without_weights(tmp_path, content):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match=r"are no tensors|not tensors by name"):
        read_state(tmp_path / "a.pt")


@pytest.mark.parametrize("content", [b"", b"no weights at all", np.arange(99).tobytes()])
def test_files_that_are_no_checkpoints(tmp_path, content):
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"a.pt: not readable as a torch file"):
        read_state(tmp_path / "a.pt")
    with pytest.raises(FileNotFoundError, match="no such file of weights"):
        read_state(tmp_path / "b.pt")


def test_fingerprints_follow_values_not_types():
    a = network()
    assert state_sha256(a.state_dict()) == state_sha256(network().state_dict())
    assert state_sha256(a.state_dict()) != state_sha256(network(1).state_dict())
    exact = network()
    with torch.no_grad():
        for p in exact.parameters():
            p.copy_(p.half())
    assert state_sha256(exact.state_dict()) == state_sha256(exact.half().state_dict())


def test_plain_has_no_subclass():
    assert type(plain(MetaTensor(torch.ones(2)))) is torch.Tensor
