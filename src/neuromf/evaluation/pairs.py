"""Volumes against volumes: how alike those of a set are to each other, to their nearest
real volumes, and to real volumes of the same name.
"""

from __future__ import annotations

import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from neuromf.features.extract import Job, read_prepared
from neuromf.metrics.similarity import (
    WINDOW,
    Moments,
    local_moments,
    multiscale_similarity,
    psnr,
    pyramid,
    similarity,
)
from neuromf.runtime.parallel import each
from neuromf.runtime.progress import progress
from neuromf.runtime.randomness import Purpose, generator

log = logging.getLogger("neuromf")
TOGETHER = 40  # pairs that one process takes at once: they share volumes
SHELF_MB = 256  # of moments that a process keeps


@dataclass(frozen=True)
class Pair:
    """Two files to compare, and how."""

    a: Path
    b: Path
    kind: Literal["diversity", "likeness"]

    def __str__(self) -> str:
        return f"{self.a} and {self.b}"


# what each pair is compared by; empty for one that could not be compared
Rows = dict[Pair, dict[str, float]]
Prepared = tuple[str, Path]  # kind of a pair, file


@dataclass
class Shelf:
    """The moments of the volumes that were looked at last, as many as `SHELF_MB` holds."""

    kept: OrderedDict[Prepared, list[Moments]] = field(default_factory=OrderedDict)

    def get(self, key: Prepared, make: Callable[[], list[Moments]]) -> list[Moments]:
        """Return what is kept under a key; made, if it is not there."""
        found = self.kept.pop(key) if key in self.kept else make()
        self.kept[key] = found
        while len(self.kept) > 2 and sum(map(size_of, self.kept.values())) > SHELF_MB * 1e6:
            self.kept.popitem(last=False)
        return found


def size_of(levels: Iterable[Moments]) -> int:
    """Return the bytes of some moments."""
    return sum(t.numel() * t.element_size() for moments in levels for t in moments)


def moments_of(job: Job, kind: str, path: Path) -> list[Moments]:
    """Return what the pairs of one kind need of a volume: its moments at
    each scale, or at the first.
    """
    volume = torch.from_numpy(read_prepared(path, job).voxels)
    if kind == "diversity":
        return pyramid(volume)
    return (
        [local_moments(volume)]
        if min(volume.shape) >= WINDOW
        else [Moments(volume, volume, volume)]
    )


def compare_pair(job: Job, pair: Pair, shelf: Shelf) -> dict[str, float]:
    """Return what a pair is compared by: ms_ssim; or ssim, if the volumes are as
    large as its window, and psnr.
    """
    a, b = (
        shelf.get((pair.kind, p), partial(moments_of, job, pair.kind, p)) for p in (pair.a, pair.b)
    )
    if pair.kind == "diversity":
        return {"ms_ssim": multiscale_similarity(a, b)}
    x, y = a[0], b[0]
    alike = {"ssim": float(similarity(x, y).mean())} if min(x.values.shape) >= WINDOW else {}
    return alike | {"psnr": psnr(x.values, y.values)}


def compare_some(job: Job, pairs: Sequence[Pair]) -> list[dict[str, float]]:
    """Return the values of some pairs, preparing each volume once; empty for a
    pair that cannot be compared.
    """
    shelf, rows = Shelf(), []
    for pair in pairs:
        try:
            rows.append(compare_pair(job, pair, shelf))
        except (ValueError, RuntimeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            log.warning("not compared: %s: %s", pair, error)
            rows.append({})
    return rows


def compare_pairs(pairs: Sequence[Pair], job: Job, workers: int) -> Rows:
    """Return the values of each pair. Raises what is no pair's fault: too little
    memory, a process that died.
    """
    chosen = sorted(dict.fromkeys(pairs), key=lambda pair: (pair.kind, str(pair.a), str(pair.b)))
    size = max(1, min(TOGETHER, len(chosen) // max(workers, 1)))
    parts = [tuple(chosen[i : i + size]) for i in range(0, len(chosen), size)]
    rows: Rows = {}
    with progress("pairs") as bar:
        task = bar.add_task("pairs", total=len(chosen))
        for part, outcome in each(partial(compare_some, job), parts, workers):
            bar.advance(task, len(part))
            if isinstance(outcome, Exception):
                raise outcome
            rows |= zip(part, outcome, strict=True)

    return rows


def drawn_pairs(n: int, most: int, seed: int, number: int) -> list[tuple[int, int]]:
    """Return up to `most` different pairs of n volumes, all of them where there
    are no more, drawn at random.
    """
    total = n * (n - 1) // 2
    if total <= most:
        return list(itertools.combinations(range(n), 2))
    chance = generator(Purpose.PAIRS, seed, number)
    chosen: dict[tuple[int, int], None] = {}
    while len(chosen) < most:
        i, j = torch.randint(n, (2,), generator=chance).tolist()
        if i != j:
            chosen[min(i, j), max(i, j)] = None
    return list(chosen)
