"""Extractors and other measures by name: downloaded weights, random weights, or a
file of the user's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from neuromf.data.volume import Volume, volume_sha256
from neuromf.features.backbones import load_backbone
from neuromf.features.measure import Measure, fingerprint
from neuromf.features.networks import CENTRAL, random_network, slice_features, volume_features
from neuromf.features.plain import SPECTRUM, TISSUE, VOXELS
from neuromf.features.posterior import posterior
from neuromf.pretrained.download import cached_weights
from neuromf.pretrained.statedict import WeightsError, read_state
from neuromf.runtime.device import pick_device
from neuromf.runtime.folders import local_path

FETCHED = {"radimagenet": "2.5d", "medicalnet10": "3d", "medicalnet50": "3d"}
AUTO = "auto"  # those that FID is published by, or untrained ones where their weights are not here
CHOSEN = {"radimagenet": "random-2.5d", "medicalnet50": "random-3d"}
LABELS = {
    "radimagenet": "RadImageNet ResNet50, 2.5D",
    "medicalnet10": "MedicalNet ResNet-10, 3D",
    "medicalnet50": "MedicalNet ResNet-50, 3D",
}
RANDOM = {"random-2.5d": "2.5d", "random-3d": "3d"}
# Version of preprocessing, slices and pooling: raised when they change, so that kept features are
# not mixed up.
STEPS = 1


@functools.lru_cache(maxsize=32)
def load_measure(name: str, device: str = "cpu") -> Measure:
    """Return a measure by its name.

    Names: radimagenet, medicalnet10, medicalnet50 (`neuromf weights get`); random-2.5d, random-3d;
    2.5d:FILE and 3d:FILE, a TorchScript or .pt2 program of yours; voxels, spectrum, tissue;
    latents:VAE. Raises FileNotFoundError with the command that downloads missing weights,
    ValueError for an unknown name, WeightsError if a file is not a network.
    """
    if name in FETCHED:
        return _fetched(name, device)
    if name in RANDOM:
        return _random(name, device)
    kind, _, rest = name.partition(":")
    if kind in {"2.5d", "3d"} and rest:
        return _own(kind, local_path(rest), device)
    if kind == "latents" and rest:
        return posterior(rest, device)
    for measure in (VOXELS, SPECTRUM, TISSUE):
        if name == measure.name:
            return measure

    raise ValueError(
        f"unknown extractor {name!r}: {', '.join([*FETCHED, *RANDOM])}, or 2.5d:FILE and 3d:FILE "
        "for a TorchScript or .pt2 file of your own"
    )


def kind_of(name: str) -> str:
    """Return 2.5d or 3d, the kind of an extractor by its name; empty for what is none."""
    kind, _, rest = name.partition(":")
    return (FETCHED | RANDOM).get(name) or (kind if kind in {"2.5d", "3d"} and rest else "")


def choose_extractors(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of extractors.

    `auto` stands for radimagenet and medicalnet50; if the weights of one are missing, the untrained
    network of its kind takes its place. Raises ValueError for `auto` among others.
    """
    if AUTO not in names:
        return tuple(names)
    if len(names) > 1:
        raise ValueError(
            f"extractors={list(names)}: auto stands alone, or name each: "
            f"{', '.join([*FETCHED, *RANDOM])}"
        )
    return tuple(name if is_here(name) else untrained for name, untrained in CHOSEN.items())


def is_here(name: str) -> bool:
    """Return True if the weights were downloaded."""
    try:
        return cached_weights(name).is_file()
    except FileNotFoundError:
        return False


def check_extractor(name: str) -> None:
    """Raise what `load_measure` would, without loading a network."""
    if name in FETCHED:
        cached_weights(name)
        return
    _, _, rest = name.partition(":")
    if not kind_of(name):
        load_measure(name)
        raise ValueError(
            f"{name} is no feature network: {', '.join([*FETCHED, *RANDOM])}, 2.5d:FILE or 3d:FILE"
        )
    if rest and not local_path(rest).is_file():
        raise FileNotFoundError(f"{rest}: no such file; {name} was to be an extractor")


def _fetched(name: str, device: str) -> Measure:
    path = cached_weights(name)
    network = load_backbone(name, read_state(path), str(path)).to(pick_device(device))
    sha256 = fingerprint(name, volume_sha256(path), CENTRAL, STEPS)
    return Measure(
        name, sha256, LABELS[name], _features(FETCHED[name], network, device), FETCHED[name]
    )


def _random(name: str, device: str) -> Measure:
    kind = RANDOM[name]

    @functools.cache
    def made() -> Callable[[Volume], dict[str, Tensor]]:
        return _features(
            kind, random_network(kind).requires_grad_(False).to(pick_device(device)), device
        )

    def compute(volume: Volume) -> dict[str, Tensor]:
        # where a volume is measured; the measure's name and hash need no network
        return made()(volume)

    label = f"random {'ResNet50, 2.5D' if kind == '2.5d' else 'ResNet-10, 3D'} (untrained)"
    # the weights follow from torch's random numbers and from how MONAI builds the network
    versions = torch.__version__.partition("+")[0], metadata.version("monai")
    sha256 = fingerprint(name, CENTRAL, STEPS, *versions)
    return Measure(name, sha256, label, compute, kind, trained=False)


def _own(kind: str, path: Path, device: str) -> Measure:
    """Return the extractor in a file. The file is a program, and is run: take it only from
    people you trust.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of an extractor")
    try:
        if path.suffix == ".pt2":
            network: torch.nn.Module = torch.export.load(path).module()
        else:
            network = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # torch raises many kinds here
        raise WeightsError(
            f"{path}: neither TorchScript nor a .pt2 of torch.export "
            f"({str(error).splitlines()[0]}): save a network with torch.export.save or "
            "torch.jit.save, weights alone are not enough"
        ) from None

    sha256 = fingerprint(kind, volume_sha256(path), CENTRAL, STEPS)
    label = f"{path.name}, {kind.upper()}"
    return Measure(
        f"{kind}:{path.name}",
        sha256,
        label,
        _features(kind, network.to(pick_device(device)), device),
        kind,
    )


def _features(
    kind: str, network: torch.nn.Module, device: str
) -> Callable[[Volume], dict[str, Tensor]]:
    where = pick_device(device)
    if kind == "2.5d":
        return slice_features(network.to(memory_format=torch.channels_last), where)  # type: ignore[call-overload]
    return volume_features(network, where)
