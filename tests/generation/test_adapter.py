"""An adapter folder is refused where it is none, of another format, or damaged."""

import json

import pytest
import torch

from neuromf.generation.adapter import (
    CONFIG,
    WEIGHTS,
    AdapterConfig,
    load_adapter,
    read_adapter,
    save_adapter,
)
from neuromf.generation.command import GenerateConfig, run
from neuromf.generation.model import load_model
from neuromf.nets.adapt import adapt
from neuromf.nets.config import LoRA


@pytest.fixture
def folder(model_folder, tmp_path):
    """An adapter of the tiny model, for the same channels, that has learned something."""
    base = load_model(model_folder)
    network = base.config.build()
    network.load_state_dict(base.network.state_dict())
    lora = LoRA(rank=2)
    adapt(network, lora, 0, None, embedding=False)
    for parameter in network.parameters():
        if parameter.requires_grad:
            torch.nn.init.normal_(parameter.data, std=0.3)
    return save_adapter(
        tmp_path / "adapter", AdapterConfig(base.sha256, lora, base.config), network
    )


def test_it_changes_what_is_drawn_and_is_small(model_folder, folder):
    base = load_model(model_folder)
    found = load_adapter(base, folder)
    z, t, r = torch.randn(1, *base.config.shape), torch.ones(1), torch.zeros(1)
    assert not torch.allclose(found.network(z, t, r), base.network(z, t, r))
    assert (folder / WEIGHTS).stat().st_size < 0.1 * sum(
        4 * p.numel() for p in base.network.parameters()
    )
    assert list(found.network.state_dict()) == list(base.network.state_dict())


def test_the_verb_takes_it(model_folder, folder, tmp_path):
    config = GenerateConfig(str(model_folder), adapter=str(folder), n=1, device="cpu")
    (path,) = run(config, tmp_path / "samples")
    (plain,) = run(GenerateConfig(str(model_folder), n=1, device="cpu"), tmp_path / "plain")
    assert path.read_bytes() != plain.read_bytes()


def test_what_is_no_adapter(model_folder, folder):
    base = load_model(model_folder)
    with pytest.raises(FileNotFoundError, match=r"no adapter\.json"):
        load_adapter(base, model_folder)
    record = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps(record | {"base": "0" * 64}))
    with pytest.raises(ValueError, match="adapts the model 0000000000000000"):
        load_adapter(base, folder)
    (folder / CONFIG).write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(ValueError, match="copy the folder again"):
        load_adapter(base, folder)
    (folder / CONFIG).write_text(json.dumps(record | {"format": 9}))
    with pytest.raises(ValueError, match="format 1"):
        read_adapter(folder)
