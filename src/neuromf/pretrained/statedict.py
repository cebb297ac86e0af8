"""Weights from files: read without running code, unwrapped, loaded strictly, with a fingerprint."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

WRAPPERS = ("unet_state_dict", "autoencoder_state_dict", "state_dict", "model_state_dict", "model")
SHOWN = 3  # differing keys that an error names


class WeightsError(ValueError):
    """Weights that do not fit, or a file that cannot be trusted; the message names the first
    differing keys.
    """


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a .safetensors or .pt file by key, without the dictionaries that
    trainers wrap around them.

    A .pt file is unpickled with `weights_only`; MONAI's MetaTensor is allowed. Raises WeightsError
    for anything else.
    """
    if not path.is_file():
        kind = "is no ordinary file" if path.exists() else "no such file of weights"
        raise FileNotFoundError(f"{path}: {kind}")

    content = _read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break

    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path}: holds a {type(content).__name__}, not tensors by name")
    strange = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if strange:
        raise WeightsError(
            f"{path}: {', '.join(strange[:SHOWN])} are no tensors, and none of "
            f"{', '.join(WRAPPERS)} is in it"
        )

    return {str(key).removeprefix("module."): plain(value) for key, value in content.items()}


def load_strict(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load `state` into `network`. Raises WeightsError naming the first keys that are missing,
    extra or of other shape.
    """
    check_fits(network, state, what)
    broken = [k for k, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()]
    if broken:
        raise WeightsError(f"{what}: NaN or Inf in {', '.join(broken[:SHOWN])}")
    own = network.state_dict()
    network.load_state_dict({k: v.to(own[k].dtype) for k, v in state.items()})


def check_fits(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Raise WeightsError if the keys or shapes of `state` are not those of `network`."""
    own = network.state_dict()
    missing = [k for k in own if k not in state]
    extra = [k for k in state if k not in own]

    shapes = [
        f"{k} {tuple(state[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    found = [("missing", missing), ("unexpected", extra), ("of another shape", shapes)]
    wrong = [
        f"{len(keys)} {kind}: {', '.join(keys[:SHOWN])}{' ...' if len(keys) > SHOWN else ''}"
        for kind, keys in found
        if keys
    ]
    if wrong:
        raise WeightsError(
            f"{what} does not fit {type(network).__name__} ({len(own)} entries): {'; '.join(wrong)}"
        )


T = TypeVar("T", bound=nn.Module)


def loaded(build: Callable[[], T], state: Mapping[str, Tensor], what: str) -> T:
    """Return the network that `build` makes, with `state` in it. Raises WeightsError if
    they do not fit.

    Shapes are compared before memory is allocated for the network, because a damaged configuration
    may ask for any size.
    """
    try:
        with torch.device("meta"):
            check_fits(build(), state, what)
    except (RuntimeError, OverflowError, MemoryError) as error:
        raise WeightsError(
            f"{what}: no network can be made as its configuration says ({_first_line(error)})"
        ) from None
    network = build()
    load_strict(network, state, what)
    return network


def state_sha256(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and float32 values of a network's state, whatever
    file it came from.
    """
    digest = hashlib.sha256()
    for key, value in sorted(state.items()):
        digest.update(f"{key}{tuple(value.shape)}".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def check_sha256(path: Path, found: str, expected: str) -> None:
    """Raise WeightsError where the weights of a file are not those that the configuration beside it
    names.
    """
    if found != expected:
        raise WeightsError(
            f"{path} has the fingerprint {found[:16]}, the config.json beside it says "
            f"{expected[:16]}: they are of different networks, or the file is damaged"
        )


def plain(value: Tensor) -> Tensor:
    """Return a tensor without a subclass such as MONAI's MetaTensor."""
    return value.detach().as_subclass(Tensor)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not readable as safetensors ({error})") from None


def read_pickle(path: Path) -> Any:
    """Return the content of a .pt file if it is tensors and plain values. Raises WeightsError
    for anything else.
    """
    from monai.data.meta_tensor import MetaTensor
    from monai.utils.enums import MetaKeys, SpaceKeys, TraceKeys

    check_zip(path)
    enums = {MetaKeys, SpaceKeys, TraceKeys}

    def member(enum: Any, name: str) -> Any:
        """Stand for `getattr`, by which Python 3.11.2 pickles a member of an enum."""
        if enum not in enums:
            raise pickle.UnpicklingError("GLOBAL getattr of what is no key of MONAI's")
        return enum[name]

    getattr_of_enums = [(member, "builtins.getattr"), (member, "__builtin__.getattr")]
    with torch.serialization.safe_globals([MetaTensor, *enums, *getattr_of_enums]):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "GLOBAL" not in str(error):
                raise WeightsError(
                    f"{path}: not readable as a torch file: is it weights at all?"
                ) from None
            what = str(error).split("GLOBAL ")[-1].split()[0]
            raise WeightsError(
                f"{path}: holds more than tensors ({what}), which could run code: it is not "
                "opened. Save its state_dict alone, or convert it to safetensors"
            ) from None
        except Exception as error:  # a damaged file raises many kinds
            raise WeightsError(
                f"{path}: not readable as a torch file ({_first_line(error)})"
            ) from None


def check_zip(path: Path) -> None:
    """Raise WeightsError if a .pt file, which is a zip archive, is damaged: torch does not
    compare its checksums.
    """
    if not zipfile.is_zipfile(path):
        return  # written before torch 1.6, without checksums
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        broken = _first_line(error)

    if broken is not None:
        raise WeightsError(
            f"{path}: was damaged since it was written ({broken}): "
            "take an earlier one, or fetch it again"
        )


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
