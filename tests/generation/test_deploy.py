import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch

import neuromf
from generation.support import SHAPE, model_config
from neuromf.generation import deploy
from neuromf.generation.deploy import DeployConfig, described, run
from neuromf.generation.deployed import Decoder, Step
from neuromf.generation.model import load_model, save_model
from neuromf.nets.variables import Conditions, Variable
from neuromf.runtime.config import ConfigError


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory, vae_folder):
    """A rectified flow that knows age, and guidance."""
    folder = tmp_path_factory.mktemp("conditioned") / "tiny"
    conditions = Conditions((Variable("age", (), 20, 80),), guidance=3.0)
    config = model_config(vae_folder, predict="u", solver="euler", conditions=conditions)
    torch.manual_seed(0)
    network = config.build()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    save_model(folder, config, network.state_dict(), "# tiny\n", vae=str(vae_folder))
    return folder


def programs(folder):
    """Return a model's network and decoder as modules, with arguments for the first."""
    model = load_model(folder)
    step = Step(model.network, model.config).eval()
    decoder = Decoder(model.load_vae("cpu"), model.config).eval()
    noise = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(7))
    conditions = [torch.tensor([31.0]), torch.tensor([[2.0, 0.0, 1.0]])] if step.names else []
    return step, decoder, (noise, torch.tensor([0.8]), torch.tensor([0.3]), *conditions)


@pytest.mark.filterwarnings("ignore")
def test_programs_of_torch_give_what_the_model_gives(tmp_path, conditioned):
    run(DeployConfig(str(conditioned)), tmp_path / "out")
    step, decoder, arguments = programs(conditioned)
    network = torch.export.load(tmp_path / "out" / "network.pt2").module()
    decode = torch.export.load(tmp_path / "out" / "decoder.pt2").module()
    with torch.no_grad():
        torch.testing.assert_close(network(*arguments), step(*arguments), rtol=0, atol=1e-6)
        volume = decode(arguments[0])
        torch.testing.assert_close(volume, decoder(arguments[0]), rtol=0, atol=1e-6)
    assert volume.max() > 0.1
    assert_no_place_of_the_source(tmp_path / "out")


def test_onnx_runtime_gives_what_the_model_gives(tmp_path, conditioned):
    run(DeployConfig(str(conditioned), "onnx"), tmp_path / "out")
    told = json.loads((tmp_path / "out" / "inputs.json").read_text())
    step, decoder, arguments = programs(conditioned)
    for file, module, given in (
        ("network", step, dict(zip(told["order"], arguments, strict=True))),
        ("decoder", decoder, {"z": arguments[0]}),
    ):
        path = tmp_path / "out" / f"{file}.onnx"
        assert onnx.load(path).opset_import[0].version == 21
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {k: v.numpy() for k, v in given.items()})
        with torch.no_grad():
            expected = module(*given.values())
        assert expected.std() > 0.01
        torch.testing.assert_close(torch.from_numpy(found), expected, rtol=0, atol=1e-5)
    assert_no_place_of_the_source(tmp_path / "out")


def assert_no_place_of_the_source(folder):
    """What is given away tells nothing of the machine that made it."""
    for path in (*folder.glob("*.onnx"), *folder.glob("*.pt2")):
        files = [path]
        if path.suffix == ".pt2":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(path.with_suffix(".files"))
            files = [p for p in path.with_suffix(".files").rglob("*") if p.is_file()]
        for file in files:
            content = file.read_bytes()
            assert b"site-packages" not in content
            assert str(Path(neuromf.__file__).parent).encode() not in content
            assert path.parent.name.encode() + b"/" not in content


def test_what_the_programs_take_is_told(conditioned):
    model = load_model(conditioned)
    told = described(model, Step(model.network, model.config))
    assert told["order"] == ["z", "t", "r", "condition_age", "condition_guidance"]
    assert told["guidance"]["largest"] == 3
    assert told["network"]["shape"] == [1, *SHAPE]
    assert told["volume"]["shape"] == [1, 1, *(4 * n for n in SHAPE[1:])]
    assert told["conditions"][0]["high"] == 80
    assert "flow" in told["calls"]


def test_what_is_missing_is_said_before_anything_is_made(tmp_path, model_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"neuromf\[onnx\]"):
        run(DeployConfig(str(model_folder), "onnx"), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run(DeployConfig("nowhere/at/all"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_models_of_pairs_are_refused(tmp_path, pair_model):
    with pytest.raises(ConfigError, match="images alone"):
        run(DeployConfig(str(pair_model)), tmp_path / "out")


def test_flows_with_steps_of_their_own_and_graphs_that_are_too_large(
    tmp_path, model_folder, monkeypatch
):
    monkeypatch.setattr(deploy, "LARGEST", 1e3)
    with pytest.raises(ConfigError, match="more than one file may hold: format=torch"):
        run(DeployConfig(str(model_folder), "onnx"), tmp_path / "out")
    model = load_model(model_folder)
    rflow = replace(model, config=replace(model.config, predict="u", solver="rflow"))
    monkeypatch.setattr(deploy, "load_model", lambda name: rflow)
    with pytest.raises(ConfigError, match="RFlowScheduler.*maisi192"):
        run(DeployConfig("maisi-brain"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
