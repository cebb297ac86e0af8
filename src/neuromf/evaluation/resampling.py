"""Metrics at equal numbers of volumes: samples, reconstructions and real volumes
against the same real volumes.

A Fréchet distance falls as sets grow, and neighbours come nearer, so a reference says something
only at the same number of volumes. Either a second real set stands beside the samples, against
the whole reference; or halves of the reference do, against the other half, over several draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import torch

from neuromf.evaluation.score import Beside, References
from neuromf.runtime.randomness import Purpose, generator

SMALLEST = 4  # volumes of a reference that can be halved


class Divisible(Protocol):
    """A set that parts can be taken of."""

    def __len__(self) -> int: ...

    def only(self, indices: Sequence[int]) -> Self:
        """Return the same of some of the volumes."""
        ...


T = TypeVar("T", bound=Divisible)


@dataclass(frozen=True)
class Reconstructions(Generic[T]):
    """Reconstructions, and the numbers of the volumes of the real pool that they are of."""

    volumes: T
    of: Sequence[int]

    def of_people(self, numbers: Sequence[int]) -> T:
        """Return the reconstructions of some volumes of the pool."""
        at = {of: number for number, of in enumerate(self.of)}
        return self.volumes.only([at[number] for number in numbers])


Values = list[dict[str, float]]  # of each draw: metric -> value


def at_equal_numbers(
    sets: Mapping[str, T],
    reference: T,
    real: T | None,
    reconstruction: Reconstructions[T] | None,
    estimates: Callable[[T, T], dict[str, float]],
    draws: int,
    seed: int,
) -> dict[str, dict[str, References]]:
    """Return the references of each set and metric: its mean and spread over `draws` draws of n
    volumes of the set, of reconstructions and of real ones, all against the same other real ones.

    The pool of real volumes is `real`, against the whole reference; or the reference, against a
    half of it that shares nobody with the n. Reconstructions are of the very volumes that are
    drawn. Empty where the reference is too small.
    """
    pool = real if real is not None else reference
    known = list(range(len(pool))) if reconstruction is None else list(reconstruction.of)
    largest = len(pool) if real is not None else len(pool) // 2
    n = min([len(known), largest, *map(len, sets.values())])
    if n < 1 or (real is None and len(reference) < SMALLEST):
        return {}

    samples: dict[str, Values] = {name: [] for name in sets}
    of_real: Values = []
    of_reconstructions: Values = []
    m = 0
    for draw, (ours, others) in enumerate(drawn_people(reference, real, known, n, draws, seed)):
        m = len(others)
        for number, (name, one) in enumerate(sets.items()):
            samples[name].append(estimates(subset(one, n, seed, draw, number), others))
        of_real.append(estimates(pool.only(ours), others))
        if reconstruction is not None:
            of_reconstructions.append(estimates(reconstruction.of_people(ours), others))

    shared = {
        "reconstruction": summary(of_reconstructions, n, m),
        "real": summary(of_real, n, m),
    }
    return {
        name: by_metric({"samples": summary(values, n, m)} | shared)
        for name, values in samples.items()
    }


def drawn_people(
    reference: T, real: T | None, known: Sequence[int], n: int, draws: int, seed: int
) -> Iterator[tuple[list[int], T]]:
    """Yield, for each draw, n of the known volumes of the real pool, and the real volumes that
    everything is compared with.
    """
    chance = generator(Purpose.SUBSETS, seed, 1, 0, 0)
    for _ in range(draws):
        ours = sorted(known[i] for i in torch.randperm(len(known), generator=chance)[:n].tolist())
        yield ours, reference if real is not None else opposite(reference, ours, chance)


def by_metric(kinds: Mapping[str, dict[str, Beside]]) -> dict[str, References]:
    """Return metric -> kind -> value, of kind -> metric -> value."""
    keys = dict.fromkeys(key for found in kinds.values() for key in found)
    return {
        key: {kind: found[key] for kind, found in kinds.items() if key in found} for key in keys
    }


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


def summary(draws: Values, n: int, m: int) -> dict[str, Beside]:
    """Return mean and standard deviation over draws of each metric that every draw has."""
    names = [name for name in (draws[0] if draws else {}) if all(name in draw for draw in draws)]
    out = {}
    for name in names:
        numbers = torch.tensor([draw[name] for draw in draws], dtype=torch.float64)
        std = float(numbers.std()) if len(draws) > 1 else 0.0
        out[name] = Beside(float(numbers.mean()), std, n, m)
    return out
