"""Volumes against volumes: how alike a set is in itself, to its nearest real volumes, and to its own partners."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from neuromf.chance import Purpose, generator
from neuromf.features.extract import Job, read_prepared
from neuromf.metrics.paired import WINDOW, ms_ssim, psnr, ssim
from neuromf.metrics.regions import dice
from neuromf.morphology.tissue import CLASSES, segment
from neuromf.parallel import each
from neuromf.progress import progress


@dataclass(frozen=True)
class Pair:
    """Two files to compare, and how."""

    a: Path
    b: Path
    kind: str  # diversity, likeness, overlap

    def __str__(self) -> str:
        return f"{self.a} and {self.b}"


def compare_pair(job: Job, pair: Pair) -> dict[str, float]:
    """Return what a pair is compared by: ms_ssim; ssim and psnr; or the Dice of each tissue."""
    a, b = read_prepared(pair.a, job), read_prepared(pair.b, job)
    x, y = torch.from_numpy(a.voxels), torch.from_numpy(b.voxels)
    if pair.kind == "diversity":
        return {"ms_ssim": ms_ssim(x, y)}
    if pair.kind == "likeness":
        return ({"ssim": ssim(x, y)} if min(x.shape) >= WINDOW else {}) | {"psnr": psnr(x, y)}
    one, other = segment(a).labels, segment(b).labels
    return {f"dice.{name}": dice(one == i + 1, other == i + 1) for i, name in enumerate(CLASSES)}


def compare_pairs(pairs: Sequence[Pair], job: Job, workers: int, what: str) -> list[dict[str, float]]:
    """Return the figures of each pair, in order; empty for a pair that could not be compared."""
    found: dict[int, dict[str, float]] = {}
    where = {pair: number for number, pair in enumerate(pairs)}
    with progress("pairs") as bar:
        task = bar.add_task(what, total=len(where))
        for pair, outcome in each(partial(compare_pair, job), list(where), workers):
            bar.advance(task)
            if isinstance(outcome, torch.OutOfMemoryError | MemoryError):
                raise outcome
            found[where[pair]] = {} if isinstance(outcome, Exception) else outcome
    return [found[where[pair]] for pair in pairs]


def drawn_pairs(n: int, most: int, seed: int, number: int) -> list[tuple[int, int]]:
    """Return up to `most` different pairs of n volumes, all of them where there are no more, drawn at random."""
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
