"""Figures at equal numbers of volumes: samples, reconstructions and real volumes against the same real volumes.

A Fréchet distance falls as sets grow, and neighbours come nearer, so a bound says something only at the same number of
volumes. Either a second real set stands beside the samples, against the whole reference; or halves of the reference do,
against the other half, over several draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, Self, TypeVar

import torch

from neuromf.chance import Purpose, generator
from neuromf.evaluation.score import Beside

SMALLEST = 4  # volumes of a reference that can be halved
Figures = dict[str, dict[str, Beside]]  # set -> metric -> figure


class Divisible(Protocol):
    """A set that parts can be taken of."""

    def __len__(self) -> int: ...

    def only(self, indices: Sequence[int]) -> Self:
        """Return the same of some of the volumes."""
        ...


T = TypeVar("T", bound=Divisible)


def at_equal_numbers(
    sets: Mapping[str, T],
    reference: T,
    real: T | None,
    reconstruction: T | None,
    figures: Callable[[T, T], dict[str, float]],
    draws: int,
    seed: int,
) -> Figures:
    """Return for each set, for `real` and for `reconstruction`, every figure over `draws` draws of equal size.

    `reconstruction` is of the first volumes of `real`, or of the reference. Empty where the reference is too small.
    """
    if real is None and len(reference) < SMALLEST:
        return {}
    pool = real if real is not None else reference
    n = min([len(pool) if real is not None else len(pool) // 2, *map(len, sets.values())])
    found: dict[str, list[dict[str, float]]] = {}
    chance = generator(Purpose.SUBSETS, seed, 1)
    for draw in range(draws):
        order = torch.randperm(len(pool), generator=chance).tolist()
        ours = sorted(order[:n])
        others = reference if real is not None else reference.only(sorted(order[len(pool) // 2 :]))
        at_hand = {name: subset(one, n, seed, draw, i) for i, (name, one) in enumerate(sets.items())}
        at_hand["real"] = pool.only(ours)
        if reconstruction is not None:
            partners = [i for i in ours if i < len(reconstruction)]
            if len(partners) >= 2:
                at_hand["reconstruction"] = reconstruction.only(partners)
        for name, one in at_hand.items():
            found.setdefault(name, []).append(figures(one, others) | {"n": len(one), "m": len(others)})
    return {name: {m: summary(values, m) for m in values[0] if m not in {"n", "m"}} for name, values in found.items()}


def subset(one: T, n: int, seed: int, draw: int, number: int) -> T:
    """Return n volumes of a set, drawn at random."""
    chance = generator(Purpose.SUBSETS, seed, 2, draw, number)
    return one.only(torch.randperm(len(one), generator=chance)[:n].sort().values.tolist())


def summary(values: list[dict[str, float]], metric: str) -> Beside:
    """Return mean and standard deviation of a metric over draws."""
    numbers = torch.tensor([v[metric] for v in values if metric in v], dtype=torch.float64)
    spread = float(numbers.std()) if len(numbers) > 1 else 0.0
    return Beside(float(numbers.mean()), spread, round(values[0]["n"]), round(values[0]["m"]))
