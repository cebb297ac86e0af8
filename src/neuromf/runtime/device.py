"""Where to compute, and what to say when memory does not suffice."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

import torch
from torch import Tensor

log = logging.getLogger("neuromf")
Precision = Literal["float32", "bfloat16"]
WITHOUT_FLOAT64 = {"mps"}  # types of devices
FALLBACK = "will fall back to run on the CPU"  # in torch's warning
OUT_OF_MEMORY = (
    *("can't allocate memory", "not enough memory"),
    *("CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"),  # plain RuntimeErrors of torch
    *("MPS backend out of memory", "Invalid buffer size"),
)


def pick_device(name: str) -> torch.device:
    """Return the device of a name; `auto` is the first that is available of an NVIDIA GPU, an Apple
    GPU (MPS) and the CPU.

    Raises ValueError if the device is not available, or is of a kind that is not supported.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if has_mps() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device={name}: auto, cpu, mps, cuda or cuda:N") from None

    if device.type not in {"cpu", "cuda", "mps"} or (device.type == "mps" and not has_mps()):
        raise ValueError(
            f"device={name}: not on this machine; device=cpu "
            "works anywhere, `neuromf doctor` tells more"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={name}: torch sees {torch.cuda.device_count()} GPUs here; device=cpu works "
            "anywhere, `neuromf doctor` tells more"
        )

    if device.type == "mps":
        _fallback_in_one_line()
    return device


def has_mps() -> bool:
    """Return True if torch can use an Apple GPU here."""
    return bool(torch.backends.mps.is_available())


@functools.cache
def _fallback_in_one_line() -> None:
    """Log torch's warning of an operation that MPS lacks as one line, without file and source."""
    show = warnings.showwarning

    def shown(message: Warning | str, *rest: Any, **named: Any) -> None:
        if FALLBACK in str(message):
            log.warning("device=mps: %s", str(message).split(". ")[0])
        else:
            show(message, *rest, **named)

    warnings.showwarning = shown


def float64(x: Tensor) -> Tensor:
    """Return values in float64, on their device, or on the CPU where their device has no such
    type.
    """
    return (x.cpu() if x.device.type in WITHOUT_FLOAT64 else x).double()


def has_bf16(device: torch.device) -> bool:
    """Return True if a device is known to compute bfloat16 by instructions of its own; without,
    float32 is faster.
    """
    if device.type == "mps":
        return False  # the M1 converts, later ones compute: torch does not tell which it is
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public name for it
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in known)


def autocast(device: torch.device | str, precision: str) -> torch.autocast:
    """Return the context in which networks compute in `precision`, float32 or
    bfloat16; weights stay as they are.
    """
    enabled = check_precision(precision) == "bfloat16"
    return torch.autocast(torch.device(device).type, torch.bfloat16, enabled=enabled)


def check_precision(name: str) -> Precision:
    """Return the name of a precision. Raises ValueError for another, which would
    silently compute in float32.
    """
    if name not in get_args(Precision):
        raise ValueError(f"precision is {name!r}: {' or '.join(get_args(Precision))}")
    return name  # type: ignore[return-value]


def wait_for_gpu() -> None:
    """Wait until the GPU, if one is in use, has finished its work: needed to measure times."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
    elif has_mps():
        torch.mps.synchronize()


@contextmanager
def explain_oom(what: str, advice: str) -> Iterator[None]:
    """Turn a failure of allocation in the body into a ValueError that says what to lower."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ValueError(f"{what} needs more memory than there is: try {advice}") from error
    except RuntimeError as error:
        if not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        raise ValueError(f"{what} needs more memory than there is: try {advice}") from error


@contextmanager
def without_tf32() -> Iterator[None]:
    """Full float32 in matrix products and convolutions, by whichever of torch's
    two switches this build has.
    """
    backends: tuple[Any, ...] = (
        torch.backends.cuda.matmul,
        getattr(torch.backends.cudnn, "conv", torch.backends.cudnn),
    )
    name, full = (
        ("fp32_precision", "ieee")
        if hasattr(torch.backends.cudnn, "conv")
        else ("allow_tf32", False)
    )
    before = [getattr(backend, name) for backend in backends]

    try:
        for backend in backends:
            setattr(backend, name, full)
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            setattr(backend, name, value)
