"""Refusals: each names the argument, what came and what is accepted."""

import torch
from torch import Tensor


def between(low: float, value: float, high: float, name: str) -> None:
    """Raise ValueError unless low <= value <= high (NaN is refused)."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: it must lie in [{low}, {high}]")


def check_floating(name: str, value: Tensor) -> None:
    """Raise TypeError unless `value` is a tensor of real floating-point numbers."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} is a {type(value).__name__}: a torch.Tensor is needed")
    if not value.is_floating_point():
        raise TypeError(
            f"{name} has dtype {value.dtype}: a floating-point tensor "
            f"is needed, for example {name}.float()"
        )


def check_latents(name: str, value: Tensor, *, half_allowed: bool = True) -> None:
    """Raise TypeError or ValueError unless `value` is floating, (B, C, *spatial), B >= 1."""
    check_floating(name, value)
    if value.element_size() < 4 and not half_allowed:
        raise TypeError(
            f"{name} has dtype {value.dtype}: the objective needs float32 or float64; for a "
            "network in half precision call it under torch.autocast"
        )
    if value.ndim < 2 or 0 in value.shape:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}: (B, C, "
            "*spatial) with at least one sample is needed"
        )


def check_same_shape(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless both shapes are equal."""
    if value.shape != other.shape:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)} but {other_name} has "
            f"{tuple(other.shape)}: they must be equal"
        )


def check_same_kind(name: str, value: Tensor, other_name: str, other: Tensor) -> None:
    """Raise ValueError unless shapes and devices, TypeError unless dtypes are equal."""
    check_same_shape(name, value, other_name, other)
    if value.device != other.device:
        raise ValueError(
            f"{name} is on {value.device} but {other_name} on {other.device}: move one with .to()"
        )
    if value.dtype != other.dtype:
        raise TypeError(
            f"{name} has dtype {value.dtype} but {other_name} has {other.dtype}: they must be equal"
        )


def check_times(t: Tensor, r: Tensor, rows: int, *, zero_allowed: bool) -> None:
    """Raise unless t and r are floating, (rows,), 0 <= r <= t <= 1, and t > 0 where 0
    is not allowed.
    """
    for name, value in (("t", t), ("r", r)):
        check_floating(name, value)
        if value.shape != (rows,):
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}: one time per sample is needed, ({rows},)"
            )

    ok = torch.stack(
        [(r >= 0).all(), (t <= 1).all(), (r <= t).all(), (t > 0).all()]
    ).tolist()  # one transfer
    if not (ok[0] and ok[1]):
        raise ValueError(
            f"times span [{r.min().item():.4g}, {t.max().item():.4g}]: "
            "t and r must lie in [0, 1], without NaN"
        )
    if not ok[2]:
        row = int((r - t).argmax())
        raise ValueError(
            f"r > t in row {row} (r = {r[row].item():.4g}, t = "
            f"{t[row].item():.4g}): t is the later time, r <= t"
        )
    if not (ok[3] or zero_allowed):
        raise ValueError(
            "t holds a 0: u = (z - x̂) / t needs t > 0; draw times with TimeSampler(t_min=0.02)"
        )
