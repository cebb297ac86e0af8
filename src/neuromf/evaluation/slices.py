"""Slices of the volumes that a page shows: taken once, kept as numbers beside scores.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from neuromf.data.reading import picture
from neuromf.evaluation.results import AGAIN, CopiesRecord
from neuromf.reporting.slices import Picture
from neuromf.runtime.files import write_bytes
from neuromf.runtime.records import RecordError

SHOWN = 6  # volumes of a set
Slices = dict[str, Picture]  # of what -> (H, W)


def take_slices(
    sets: Mapping[str, Sequence[Path]], copies: Mapping[str, Iterable[CopiesRecord]]
) -> Slices:
    """Return slices of the first volumes of each set of files, and of samples beside the nearest
    training volumes.
    """
    first = {
        of_volume(name, i): picture(path)
        for name, paths in sets.items()
        for i, path in enumerate(paths[:SHOWN])
    }
    pairs = {}
    for name, record in ((name, record) for name, found in copies.items() for record in found):
        for i, pair in enumerate(record.closest):
            sample, training = of_pair(name, record.space, i)
            pairs[sample] = picture(Path(pair.sample))
            pairs[training] = picture(Path(pair.training))

    return first | pairs


def of_volume(name: str, number: int) -> str:
    """Return the name of the slices of a volume of a set."""
    return f"volumes/{name}/{number}"


def of_pair(name: str, space: str, number: int) -> tuple[str, str]:
    """Return the names of the slices of a sample, and of the training volume nearest to it."""
    where = f"nearest/{name}/{space}/{number}"
    return f"{where}/sample", f"{where}/training"


def write_slices(path: Path, slices: Slices) -> None:
    """Write slices as safetensors."""
    write_bytes(path, save({name: torch.from_numpy(v.copy()) for name, v in slices.items()}))


def read_slices(path: Path) -> Slices:
    """Return what `write_slices` wrote. Raises FileNotFoundError where there is none, RecordError
    for another file.
    """
    try:
        found = load(path.read_bytes())
    except SafetensorError as error:
        raise RecordError(f"{path} is no safetensors file ({error}): {AGAIN}") from None
    return {name: values.numpy() for name, values in found.items()}
