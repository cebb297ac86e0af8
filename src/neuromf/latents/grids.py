"""One grid for all volumes of a store, and one shape for all its latents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neuromf.data.cohort import Entry
from neuromf.latents.shard import Shard, StoreError
from neuromf.latents.store import LatentEntry, mean_key


def check_grids(volumes: Sequence[Entry]) -> None:
    """Raise StoreError if a volume was prepared with another shape or voxel size than the first."""
    first: tuple[Any, ...] = ()
    for volume in volumes:
        place = volume.place()
        size = np.linalg.norm(np.array(place.affine)[:3, :3], axis=0).round(2).tolist()
        grid = (*place.shape, *size)
        first = first or grid
        if grid != first:
            raise StoreError(
                f"{volume.path} has the grid {grid} (voxels, mm), {volumes[0].path} {first}: "
                "prepare all with one preset"
            )


def one_shape(known: tuple[int, ...], shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Return the shape of all latents. Raises StoreError if one has another."""
    if known and shape != known:
        raise StoreError(
            f"the latent of {name} has shape {shape}, others "
            f"{known}: prepare all volumes with one preset"
        )
    return shape


def stored_shape(out: Path, entries: Sequence[LatentEntry]) -> tuple[int, ...]:
    """Return the shape of the latents that are already there, empty if there are none. Raises
    StoreError if they differ.
    """
    headers = {
        name: Shard(str(out / f"{name}.safetensors")).header()
        for name in {e.shard for e in entries}
    }
    shape: tuple[int, ...] = ()
    for entry in entries:
        shape = one_shape(shape, headers[entry.shard][mean_key(entry.name)].shape, entry.name)
    return shape
