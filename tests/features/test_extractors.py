"""Extractors by name: fetched weights, random ones, a user's file; every refusal says what to do."""

import pytest
import torch
from torch import nn

from features.support import blob
from neuromf.features import extractors
from neuromf.features.backbones import medicalnet
from neuromf.features.extractors import check_extractor, choose_extractors, kind_of, load_measure
from neuromf.features.networks import random_network
from neuromf.fetch import fetch
from neuromf.pretrained.statedict import WeightsError


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("NEUROMF_HOME", str(tmp_path / "home"))
    load_measure.cache_clear()
    yield
    load_measure.cache_clear()


class Pooled(nn.Module):
    def __init__(self, dimensions):
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(3, 6, 3) if dimensions == 2 else nn.Conv3d(1, 6, 3)

    def forward(self, x):
        return self.conv(x).flatten(2).mean(2)


def test_without_weights_the_command_is_named():
    for name in ("radimagenet", "medicalnet50"):
        with pytest.raises(FileNotFoundError, match=f"neuromf weights get {name}"):
            check_extractor(name)


def test_auto_takes_what_is_here(tmp_path):
    """Each network whose weights are not here is replaced by the untrained one of its kind."""
    assert choose_extractors(["auto"]) == ("random-2.5d", "random-3d")
    assert choose_extractors(["medicalnet50"]) == ("medicalnet50",)
    for name in ("medicalnet50", "radimagenet"):
        path = tmp_path / "home" / "weights" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        found = choose_extractors(["auto"])
        assert name in found
    assert found == ("radimagenet", "medicalnet50")
    with pytest.raises(ValueError, match="auto stands alone"):
        choose_extractors(["auto", "random-3d"])


def test_fetched_weights(tmp_path):
    torch.manual_seed(0)
    network = medicalnet(10)
    path = tmp_path / "resnet_10_23dataset.pth"
    torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, path)
    kept = fetch("medicalnet10", path)
    assert kept.suffix == ".safetensors"
    measure = load_measure("medicalnet10")
    assert (measure.kind, measure.trained, measure.keys) == ("3d", True, ("volume",))
    from neuromf.features.networks import standardised

    expected = network.eval()(standardised(blob(0))).detach()
    torch.testing.assert_close(measure.compute(blob(0))["volume"], expected)


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)
@pytest.mark.parametrize(("kind", "dimensions"), [("2.5d", 2), ("3d", 3)])
def test_a_users_program(tmp_path, kind, dimensions):
    network = Pooled(dimensions).eval()
    shape = (2, 3, 32, 36) if dimensions == 2 else (1, 1, 32, 36, 32)
    torch.jit.save(torch.jit.trace(network, torch.rand(shape)), str(tmp_path / "net.pt"))
    Dim = torch.export.Dim
    sizes = {0: Dim("n", min=1), 2: Dim("h", min=4), 3: Dim("w", min=4)} if dimensions == 2 else {}
    program = torch.export.export(network, (torch.rand(shape),), dynamic_shapes=(sizes,))
    torch.export.save(program, tmp_path / "net.pt2")
    found = [load_measure(f"{kind}:{tmp_path / name}") for name in ("net.pt", "net.pt2")]
    key = found[0].keys[0]
    a, b = (m.compute(blob(0))[key] for m in found)
    assert a.shape[1] == 6
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert found[0].sha256 != found[1].sha256


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_refusals(tmp_path):
    with pytest.raises(ValueError, match="unknown extractor 'inception': radimagenet"):
        check_extractor("inception")
    with pytest.raises(ValueError, match="voxels is no feature network"):
        check_extractor("voxels")
    with pytest.raises(FileNotFoundError, match="no such file"):
        check_extractor(f"3d:{tmp_path / 'none.pt'}")
    torch.save({"a": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(WeightsError, match="weights alone are not enough"):
        load_measure(f"2.5d:{tmp_path / 'weights.pt'}")


def test_random_ones_say_so():
    for name in ("random-2.5d", "random-3d"):
        measure = load_measure(name)
        assert not measure.trained
        assert "untrained" in measure.label
    assert load_measure("random-3d") is load_measure("random-3d")


def test_an_untrained_network_is_made_where_it_is_used(monkeypatch):
    """To look up what was kept needs its name and hash alone."""
    made = []
    monkeypatch.setattr(
        extractors, "random_network", lambda kind: made.append(kind) or random_network(kind)
    )
    measure = load_measure("random-3d")
    assert (len(measure.sha256), made) == (64, [])
    measure.compute(blob(0))
    measure.compute(blob(1))
    assert made == ["3d"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("radimagenet", "2.5d"),
        ("medicalnet50", "3d"),
        ("random-2.5d", "2.5d"),
        ("3d:/data/net.pt", "3d"),
        ("3d:", ""),
        ("voxels", ""),
        ("latents:small-vae", ""),
    ],
)
def test_the_kind_is_told_by_the_name(name, kind):
    assert kind_of(name) == kind


@pytest.mark.parametrize("name", ["random-2.5d", "random-3d"])
def test_an_untrained_network_of_another_monai_is_another(name, monkeypatch):
    """Features that were kept are not mixed with those of other weights."""
    before = load_measure(name).sha256
    monkeypatch.setattr(extractors.metadata, "version", lambda package: "99")
    load_measure.cache_clear()
    assert load_measure(name).sha256 != before
