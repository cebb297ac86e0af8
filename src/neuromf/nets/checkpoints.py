"""Weights of others: fetched from their hub or taken from a file, checked, and kept as safetensors."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from neuromf.folders import cache_home
from neuromf.nets.resnets import medicalnet, radimagenet
from neuromf.nets.weights import WeightsError, load_strict, read_state
from neuromf.records import read_record
from neuromf.run import write_bytes, write_json


@dataclass(frozen=True)
class Remote:
    """Where weights come from, and the network they are of. An empty sha256 is filled in by the first fetch and held to
    from then on.
    """

    repository: str
    file: str
    licence: str
    network: Callable[[Mapping[str, Tensor]], tuple[nn.Module, Mapping[str, Tensor]]]  # without weights; its state
    notice: str = ""
    revision: str = "main"
    sha256: str = ""


def _maisi(state: Mapping[str, Tensor]) -> tuple[nn.Module, Mapping[str, Tensor]]:
    from neuromf.nets.maisi import MaisiNetwork

    return MaisiNetwork().vae, state


def _medicalnet(depth: int, state: Mapping[str, Tensor]) -> tuple[nn.Module, Mapping[str, Tensor]]:
    return medicalnet(depth), state


REMOTES = {
    "maisi-v1": Remote(
        "nvidia/NV-Generate-CT",
        "models/autoencoder_v1.pt",
        "NVIDIA Open Model License (commercial use allowed)",
        _maisi,
    ),
    "maisi-v2": Remote(
        "nvidia/NV-Generate-MR",
        "models/autoencoder_v2.pt",
        "NVIDIA non-commercial license",
        _maisi,
        notice="maisi-v2 is for non-commercial use only, and so is whatever is derived from it: latents, networks "
        "trained on them, generated volumes.",
    ),
    "radimagenet": Remote(
        "MONAI/checkpoints", "RadImageNet-ResNet50_notop.pth", "RadImageNet's own terms (radimagenet.com)", radimagenet
    ),
    "medicalnet10": Remote(
        "TencentMedicalNet/MedicalNet-Resnet10", "resnet_10_23dataset.pth", "MIT", partial(_medicalnet, 10)
    ),
    "medicalnet50": Remote(
        "TencentMedicalNet/MedicalNet-Resnet50", "resnet_50_23dataset.pth", "MIT", partial(_medicalnet, 50)
    ),
}


@dataclass(frozen=True)
class Kept:
    """What is written down of weights that were fetched; later fetches and every use are held to it."""

    name: str
    sha256: str  # of the file that was fetched
    repository: str
    file: str
    licence: str
    stored_sha256: str = ""  # of the safetensors made of it; earlier versions did not write it


def home() -> Path:
    """Return the folder of fetched weights: $NEUROMF_HOME, or ~/.cache/neuromf."""
    return cache_home() / "weights"


def cached_weights(name: str) -> Path:
    """Return the file of weights fetched before. Raises FileNotFoundError with the command that fetches them."""
    path, record = home() / f"{_known(name)}.safetensors", home() / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"the weights {name} are not here: `neuromf weights get {name}`, or on a machine without a network "
            f"`neuromf weights get {name} --from {Path(REMOTES[name].file).name}`"
        )
    kept = read_record(record, Kept, f"fetch it again: neuromf weights get {name}") if record.is_file() else None
    if kept is not None and kept.stored_sha256 not in {"", sha256_of(path)}:
        raise WeightsError(f"{path} was changed since it was fetched: delete it, then `neuromf weights get {name}`")
    return path


def get_weights(name: str, source: Path | None = None) -> Path:
    """Fetch weights (interrupted downloads resume) or take them from a file, check them and keep them as safetensors.

    Raises WeightsError where the file's SHA-256 is another than before, or its content does not fit the architecture.
    """
    remote = REMOTES[_known(name)]
    file = source if source is not None else _download(remote)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file of weights")
    sha256 = sha256_of(file)
    path, record = home() / f"{name}.safetensors", home() / f"{name}.json"
    expected = remote.sha256 or (read_record(record, Kept).sha256 if record.is_file() else "")
    if expected and expected != sha256:
        raise WeightsError(
            f"{file}: SHA-256 {sha256}, but {name} has {expected}: fetch it again, or delete {record} if both are right"
        )
    state = read_state(file)
    load_remote(name, state, str(file))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save({k: v.contiguous() for k, v in state.items()}))
    kept = Kept(name, sha256, remote.repository, remote.file, remote.licence, sha256_of(path))
    write_json(record, asdict(kept))
    return path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_remote(name: str, state: Mapping[str, Tensor], what: str) -> nn.Module:
    """Return the network of known weights with a state. Raises WeightsError where they do not fit."""
    with torch.device("meta"):
        network, state = REMOTES[_known(name)].network(state)
    network.to_empty(device="cpu")
    load_strict(network, state, what)
    return network.eval().requires_grad_(False)


def describe() -> str:
    """Return one line for each known set of weights: whether it is here, its source and licence."""
    lines = []
    for name, remote in REMOTES.items():
        here = "here" if (home() / f"{name}.safetensors").is_file() else "not here"
        lines.append(f"{name:12} {here:9} {remote.repository}/{remote.file}; {remote.licence}")
    return "\n".join(lines)


def _known(name: str) -> str:
    if name not in REMOTES:
        raise ValueError(f"unknown weights {name!r}: {', '.join(REMOTES)}")
    return name


def _download(remote: Remote) -> Path:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise WeightsError("huggingface_hub is missing: pip install 'neuromf[hub]', or give --from FILE") from None
    try:
        return Path(hf_hub_download(remote.repository, remote.file, revision=remote.revision))
    except Exception as error:  # its many, and those of the network below it
        raise WeightsError(
            f"{remote.repository}/{remote.file} could not be fetched ({type(error).__name__}): on another machine "
            f"download "
            f"https://huggingface.co/{remote.repository}/resolve/{remote.revision}/{remote.file}, then give --from FILE"
        ) from None
