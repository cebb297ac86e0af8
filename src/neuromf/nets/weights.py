"""Weights from files: read without running code, unwrapped, loaded strictly, with a fingerprint."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

WRAPPERS = ("unet_state_dict", "autoencoder_state_dict", "state_dict", "model_state_dict", "model")
SHOWN = 3  # differing keys that an error names


class WeightsError(ValueError):
    """Weights that do not fit, or a file that cannot be trusted; the message names the first differing keys."""


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a .safetensors or .pt file by key, unwrapped from the dictionaries trainers put around
    them.

    A .pt file is unpickled with `weights_only`, MONAI's MetaTensor allowed. Raises WeightsError for anything else
    in it.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of weights")
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
            f"{path}: {', '.join(strange[:SHOWN])} are no tensors, and none of {', '.join(WRAPPERS)} is in it"
        )
    return {str(key).removeprefix("module."): plain(value) for key, value in content.items()}


def load_strict(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Load `state` into `network`. Raises WeightsError naming the first keys that are missing, extra or of other
    shape.
    """
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
        raise WeightsError(f"{what} does not fit {type(network).__name__} ({len(own)} entries): {'; '.join(wrong)}")
    broken = [k for k, v in state.items() if v.is_floating_point() and not torch.isfinite(v).all()]
    if broken:
        raise WeightsError(f"{what}: NaN or Inf in {', '.join(broken[:SHOWN])}")
    network.load_state_dict({k: v.to(own[k].dtype) for k, v in state.items()})


def state_sha256(network: nn.Module) -> str:
    """Return the SHA-256 over names, shapes and float32 values of a network's state, whatever file it came from."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(f"{key}{tuple(value.shape)}".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def plain(value: Tensor) -> Tensor:
    """Return a tensor without a subclass such as MONAI's MetaTensor."""
    return value.detach().as_subclass(Tensor)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: not readable as safetensors ({error})") from None


def read_pickle(path: Path) -> Any:
    """Return what is in a .pt file if it is tensors and plain values. Raises WeightsError for anything else."""
    from monai.data.meta_tensor import MetaTensor
    from monai.utils.enums import MetaKeys, SpaceKeys, TraceKeys

    with torch.serialization.safe_globals([MetaTensor, MetaKeys, SpaceKeys, TraceKeys]):
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "GLOBAL" not in str(error):
                raise WeightsError(f"{path}: not readable as a torch file: is it weights at all?") from None
            what = str(error).split("GLOBAL ")[-1].split()[0]
            raise WeightsError(
                f"{path}: holds more than tensors ({what}), which could run code: it is not opened. Save its "
                "state_dict alone, or convert it to safetensors"
            ) from None
        except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise WeightsError(f"{path}: not readable as a torch file ({lines[0]})") from None
