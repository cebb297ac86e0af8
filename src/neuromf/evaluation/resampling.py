"""Figures at equal numbers of volumes: samples, reconstructions and real volumes
against the same real volumes.

A Fréchet distance falls as sets grow, and neighbours come nearer, so a bound says something only
at the same number of volumes. Either a second real set stands beside the samples, against the whole
reference; or halves of the reference do, against the other half, over several draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, Self, TypeVar

import torch

from neuromf.evaluation.score import Beside
from neuromf.runtime.randomness import Purpose, generator

SMALLEST = 4  # volumes of a reference that can be halved


@dataclass
class Figures:
    """Metric -> figure at equal numbers: of each set, of real volumes, of reconstructions;
    empty where none is.
    """

    sets: dict[str, dict[str, Beside]] = field(default_factory=dict)
    real: dict[str, Beside] = field(default_factory=dict)
    reconstruction: dict[str, Beside] = field(default_factory=dict)


class Divisible(Protocol):
    """A set that parts can be taken of."""

    def __len__(self) -> int: ...

    def only(self, indices: Sequence[int]) -> Self:
        """Return the same of some of the volumes."""
        ...


T = TypeVar("T", bound=Divisible)


@dataclass(frozen=True)
class Rebuilt(Generic[T]):
    """Reconstructions, and of which volumes of the real pool they are, by number."""

    volumes: T
    of: Sequence[int]


def at_equal_numbers(
    sets: Mapping[str, T],
    reference: T,
    real: T | None,
    reconstruction: Rebuilt[T] | None,
    figures: Callable[[T, T], dict[str, float]],
    draws: int,
    seed: int,
) -> Figures:
    """Return every figure over `draws` draws of n volumes of each set, of the pool, of
    reconstructions of the same.

    The pool of real volumes is `real`, against the whole reference; or the reference, against a
    half of it that shares nobody with the n. Empty where the reference is too small.
    """
    pool = real if real is not None else reference
    known = list(range(len(pool))) if reconstruction is None else list(reconstruction.of)
    n = min(
        [len(known), len(pool) if real is not None else len(pool) // 2, *map(len, sets.values())]
    )
    if n < 1 or (real is None and len(reference) < SMALLEST):
        return Figures()
    values: dict[str, list[dict[str, float]]] = {name: [] for name in sets}
    values_real: list[dict[str, float]] = []
    values_rebuilt: list[dict[str, float]] = []
    chance = generator(Purpose.SUBSETS, seed, 1, 0, 0)
    for draw in range(draws):
        ours = sorted(known[i] for i in torch.randperm(len(known), generator=chance)[:n].tolist())
        others = reference if real is not None else opposite(reference, ours, chance)
        for number, (name, one) in enumerate(sets.items()):
            values[name].append(figures(subset(one, n, seed, draw, number), others))
        values_real.append(figures(pool.only(ours), others))
        if reconstruction is not None:
            at = {of: number for number, of in enumerate(reconstruction.of)}
            values_rebuilt.append(
                figures(reconstruction.volumes.only([at[i] for i in ours]), others)
            )
    m = len(others)
    return Figures(
        {name: summary(rows, n, m) for name, rows in values.items()},
        summary(values_real, n, m),
        summary(values_rebuilt, n, m),
    )


def opposite(reference: T, ours: Sequence[int], chance: torch.Generator) -> T:
    """Return half of a reference, drawn from the volumes that are not ours."""
    left = [i for i in range(len(reference)) if i not in set(ours)]
    half = len(reference) - len(reference) // 2
    return reference.only(
        sorted(left[i] for i in torch.randperm(len(left), generator=chance)[:half].tolist())
    )


def subset(one: T, n: int, seed: int, draw: int, number: int) -> T:
    """Return n volumes of a set, drawn at random."""
    chance = generator(Purpose.SUBSETS, seed, 2, draw, number)
    return one.only(torch.randperm(len(one), generator=chance)[:n].sort().values.tolist())


def summary(rows: list[dict[str, float]], n: int, m: int) -> dict[str, Beside]:
    """Return mean and standard deviation over draws of each metric that every draw has."""
    names = [name for name in (rows[0] if rows else {}) if all(name in row for row in rows)]
    out = {}
    for name in names:
        numbers = torch.tensor([row[name] for row in rows], dtype=torch.float64)
        out[name] = Beside(
            float(numbers.mean()), float(numbers.std()) if len(rows) > 1 else 0.0, n, m
        )
    return out
