"""The samples that a training drew from the same noise, one picture of them at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from safetensors import SafetensorError, safe_open

from neuromf.runtime.records import RecordError, read_json_object

NAME = re.compile(r"update-(\d+)\.png")
CALLS = "calls_"


@dataclass(frozen=True)
class Preview:
    """Samples at one update, at every number of network calls."""

    update: int
    picture: Path
    moments: Mapping[int, Mapping[str, float]]  # by network calls: mean_0, std_0, ...
    shape: tuple[int, ...] = ()  # of one latent (C, D, H, W)


def read_previews(folder: Path) -> tuple[Preview, ...]:
    """Return the previews in a run's samples/, by update; none where there is no such folder.
    Pictures that cannot be read are left out.
    """
    found = [(NAME.fullmatch(path.name), path) for path in folder.glob("update-*.png")]
    numbered = sorted((int(match[1]), path) for match, path in found if match and readable(path))
    return tuple(
        Preview(update, path, _moments(path.with_suffix(".json")), latent_shape(path))
        for update, path in numbered
    )


def readable(path: Path) -> bool:
    """Return True for a picture that can be opened to its end."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, SyntaxError):  # what Pillow raises for broken PNG files
        return False
    return True


def latent_shape(picture: Path) -> tuple[int, ...]:
    """Return the shape (C, D, H, W) of the latents beside a picture; empty where there are none.

    The header of the file alone is read.
    """
    try:
        with safe_open(picture.with_suffix(".safetensors"), "np") as tensors:
            name = next(iter(tensors.keys()))
            return tuple(tensors.get_slice(name).get_shape()[1:])
    except (OSError, SafetensorError, StopIteration):
        return ()


def _moments(path: Path) -> dict[int, dict[str, float]]:
    try:
        record: dict[str, Any] = read_json_object(path)
        return {
            int(key.removeprefix(CALLS)): {str(k): float(v) for k, v in values.items()}
            for key, values in record.items()
            if key.startswith(CALLS)
        }
    except (OSError, RecordError, ValueError, AttributeError, TypeError):
        return {}
