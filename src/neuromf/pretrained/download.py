"""Weights of other projects: downloaded from their hub or taken from a file, checked, and kept
as safetensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from neuromf.pretrained.statedict import WeightsError, read_state
from neuromf.runtime.checksums import file_sha256
from neuromf.runtime.files import write_bytes, write_json
from neuromf.runtime.folders import cache_home
from neuromf.runtime.records import read_record


@dataclass(frozen=True)
class Remote:
    """Where weights come from.

    An empty sha256 is recorded at the first download and required from then on.
    """

    repository: str
    file: str
    licence: str
    notice: str = ""
    revision: str = "main"
    sha256: str = ""


REMOTES = {
    "maisi-v1": Remote(
        "nvidia/NV-Generate-CT",
        "models/autoencoder_v1.pt",
        "NVIDIA Open Model License (commercial use allowed)",
    ),
    "maisi-v2": Remote(
        "nvidia/NV-Generate-MR",
        "models/autoencoder_v2.pt",
        "NVIDIA non-commercial license",
        notice=(
            "maisi-v2 is for non-commercial use only, and so is whatever is derived from it: "
            "latents, networks trained on them, generated volumes."
        ),
    ),
    "maisi-brain": Remote(
        "nvidia/NV-Generate-MR-Brain",
        "models/diff_unet_3d_rflow-mr-brain_v1.pt",
        "NVIDIA Open Model License (commercial use allowed)",
    ),
    "radimagenet": Remote(
        "MONAI/checkpoints",
        "RadImageNet-ResNet50_notop.pth",
        "RadImageNet's own terms (radimagenet.com)",
    ),
    "medicalnet10": Remote(
        "TencentMedicalNet/MedicalNet-Resnet10", "resnet_10_23dataset.pth", "MIT"
    ),
    "medicalnet50": Remote(
        "TencentMedicalNet/MedicalNet-Resnet50", "resnet_50_23dataset.pth", "MIT"
    ),
}


@dataclass(frozen=True)
class Kept:
    """The record of weights that were downloaded, with which later downloads and every
    use have to agree.
    """

    name: str
    sha256: str  # of the downloaded file
    repository: str
    file: str
    licence: str
    stored_sha256: str = ""  # of the safetensors made of it; earlier versions did not write it


def home() -> Path:
    """Return the folder of downloaded weights: $NEUROMF_HOME/weights, or
    ~/.cache/neuromf/weights.
    """
    return cache_home() / "weights"


def cached_weights(name: str) -> Path:
    """Return the file of weights that were downloaded before. Raises FileNotFoundError with the
    command that downloads them.
    """
    path, record = home() / f"{_known(name)}.safetensors", home() / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"the weights {name} are not here: `neuromf weights get {name}`, or on a machine "
            f"without a network `neuromf weights get {name} --from "
            f"{Path(REMOTES[name].file).name}`"
        )

    kept = (
        read_record(record, Kept, f"fetch it again: neuromf weights get {name}")
        if record.is_file()
        else None
    )
    if kept is not None and kept.stored_sha256 not in {"", file_sha256(path)}:
        raise WeightsError(
            f"{path} was changed since it was fetched: delete it, then `neuromf weights get {name}`"
        )

    return path


def get_weights(
    name: str,
    source: Path | None,
    check: Callable[[Mapping[str, Tensor], str], object],
    read: Callable[[Path], dict[str, Tensor]] = read_state,
) -> Path:
    """Download weights (interrupted downloads resume) or take them from a file, and keep them.

    `read(file)` returns the tensors of a file, `check(state, file)` raises WeightsError if they do
    not fit the architecture. They are passed in because architectures are defined in packages above
    this one. Returns the safetensors
    file. Raises WeightsError if the file's SHA-256 differs from the recorded one.
    """
    remote = REMOTES[_known(name)]
    file = source if source is not None else _download(remote)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file of weights")
    sha256 = file_sha256(file)
    path, record = home() / f"{name}.safetensors", home() / f"{name}.json"
    expected = remote.sha256 or (read_record(record, Kept).sha256 if record.is_file() else "")
    if expected and expected != sha256:
        raise WeightsError(
            f"{file}: SHA-256 {sha256}, but {name} has {expected}: fetch it again, or delete "
            f"{record} if both are right"
        )

    state = read(file)
    check(state, str(file))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, save({k: v.contiguous() for k, v in state.items()}))
    kept = Kept(name, sha256, remote.repository, remote.file, remote.licence, file_sha256(path))
    write_json(record, asdict(kept))
    return path


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
        raise WeightsError(
            "huggingface_hub is missing: pip install 'neuromf[hub]', or give --from FILE"
        ) from None

    try:
        return Path(hf_hub_download(remote.repository, remote.file, revision=remote.revision))
    except Exception as error:  # many kinds: its own, and those of the network layers
        raise WeightsError(
            f"{remote.repository}/{remote.file} could not be fetched ({type(error).__name__}): "
            "on another machine download "
            f"https://huggingface.co/{remote.repository}/resolve/{remote.revision}/{remote.file}, "
            "then give --from FILE"
        ) from None
