"""An adapter folder: what a model learned in addition, without the model itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from neuromf.generation.model import Model, ModelConfig
from neuromf.nets.adapt import adapt, learned, merge, with_learned
from neuromf.nets.conditioning import with_conditions
from neuromf.nets.config import LoRA
from neuromf.nets.precondition import build
from neuromf.pretrained.statedict import WeightsError, load_strict, read_state, state_sha256
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.folders import local_path
from neuromf.runtime.records import RecordError, as_record, read_json_object

CONFIG, WEIGHTS = "adapter.json", "adapter.safetensors"
FILES = (CONFIG, WEIGHTS)
KIND, FORMAT = "adapter", 1


@dataclass(frozen=True)
class AdapterConfig:
    """What an adapter is, apart from its weights."""

    base: str  # fingerprint of the model that it adapts
    lora: LoRA
    model: ModelConfig  # of the two together


def save_adapter(folder: Path, config: AdapterConfig, network: torch.nn.Module) -> Path:
    """Write what an adapted network learned as an adapter folder, float32; adapter.json comes last
    and marks it as complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        k: v.detach().to("cpu", torch.float32).contiguous() for k, v in learned(network).items()
    }
    write_bytes(folder / WEIGHTS, save(state))
    about: dict[str, Any] = {"kind": KIND, "format": FORMAT, "sha256": state_sha256(state)}
    write_json(folder / CONFIG, about | asdict(config))
    return folder


def load_adapter(base: Model, name: str | Path) -> Model:
    """Return a model with an adapter merged into it. Raises FileNotFoundError or RecordError for a
    folder that is none, WeightsError for one that adapts another model, or is damaged.
    """
    folder = local_path(str(name))
    config, expected = read_adapter(folder)
    if config.base != base.sha256:
        raise WeightsError(
            f"adapter={name} adapts the model {config.base[:16]}, {base.config.name} is "
            f"{base.sha256[:16]}: give model= the one that it was trained on"
        )
    state = read_state(folder / WEIGHTS)
    if state_sha256(state) != expected:
        raise WeightsError(f"{folder / WEIGHTS} is not what {CONFIG} says: copy the folder again")

    network = joined(base, config, state, str(folder / WEIGHTS))
    sha256 = state_sha256(network.state_dict())
    return Model(config.model, network.eval().requires_grad_(False), sha256, base.folder)


def joined(
    base: Model, config: AdapterConfig, state: dict[str, Tensor], what: str
) -> torch.nn.Module:
    """Return the plain network of a base and what an adapter learned."""
    whole, old = config.model, base.config.shape
    network = build(
        replace(whole.network, latent_channels=old[0]),
        whole.precondition,
        whole.latent_scale,
        old,
        whole.conditions,
    )
    own = with_conditions(base.network.state_dict(), network)
    adapt(network, config.lora, whole.shape[0] - old[0], None, embedding=False)
    load_strict(network, with_learned(own, state), what)
    merge(network)
    return network


def read_adapter(folder: Path) -> tuple[AdapterConfig, str]:
    """Return what an adapter.json holds, and the fingerprint of its weights."""
    path, advice = folder / CONFIG, "copy the folder again"
    if not path.is_file():
        raise FileNotFoundError(
            f"adapter={folder}: no {CONFIG} in it; give the adapter/ of a run of `neuromf train "
            "adapt=MODEL`"
        )
    record = read_json_object(path, advice)
    if (record.get("kind"), record.get("format")) != (KIND, FORMAT):
        raise RecordError(f"{path}: no adapter in format {FORMAT}: {advice}")
    sha256 = as_record(record.get("sha256"), str, f"{path}: sha256", advice)
    return as_record(record, AdapterConfig, str(path), advice), sha256
