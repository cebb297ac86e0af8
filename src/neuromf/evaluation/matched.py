"""Figures at equal numbers of volumes: samples, reconstructions and real volumes against the same real volumes.

A Fréchet distance falls as sets grow, and neighbours come nearer, so a bound says something only at the same number of
volumes. Either a second real set stands beside the samples, against the whole reference; or halves of the reference do,
against the other half, over several draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from neuromf.chance import Purpose, generator
from neuromf.evaluation.distribution import Points, Setup, plain
from neuromf.evaluation.score import Beside

SMALLEST = 4  # volumes of a reference that can be halved
Figures = dict[str, dict[str, Beside]]  # set -> metric -> figure


def at_equal_numbers(
    sets: Mapping[str, Points], real: Points | None, reconstruction: Points | None, setup: Setup, draws: int
) -> Figures:
    """Return for each set, for `real` and for `reconstruction`, every figure over `draws` draws of equal size.

    `reconstruction` is of the first volumes of `real`, or of the reference. Empty where the reference is too small.
    """
    reference = setup.reference
    if real is None and len(reference) < SMALLEST:
        return {}
    pool = real if real is not None else reference
    n = min([len(pool) if real is not None else len(pool) // 2, *map(len, sets.values())])
    found: dict[str, list[dict[str, float]]] = {}
    chance = generator(Purpose.SUBSETS, setup.seed, 1)
    for draw in range(draws):
        order = torch.randperm(len(pool), generator=chance).tolist()
        ours = order[:n]
        others = reference if real is not None else reference.only(sorted(order[-(len(pool) - len(pool) // 2) :]))
        at_hand = {name: subset(points, n, setup.seed, draw, i) for i, (name, points) in enumerate(sets.items())}
        at_hand["real"] = pool.only(sorted(ours))
        if reconstruction is not None:
            partners = [i for i in ours if i < len(reconstruction)]
            if len(partners) >= 2:
                at_hand["reconstruction"] = reconstruction.only(sorted(partners))
        for name, points in at_hand.items():
            found.setdefault(name, []).append(plain(points, others, setup) | {"n": len(points), "m": len(others)})
    return {name: {m: summary(values, m) for m in values[0] if m not in {"n", "m"}} for name, values in found.items()}


def subset(points: Points, n: int, seed: int, draw: int, number: int) -> Points:
    """Return n volumes of a set, drawn at random."""
    chance = generator(Purpose.SUBSETS, seed, 2, draw, number)
    chosen: Sequence[int] = torch.randperm(len(points), generator=chance)[:n].sort().values.tolist()
    return points.only(chosen)


def summary(values: list[dict[str, float]], metric: str) -> Beside:
    """Return mean and standard deviation of a metric over draws."""
    numbers = torch.tensor([v[metric] for v in values if metric in v], dtype=torch.float64)
    spread = float(numbers.std()) if len(numbers) > 1 else 0.0
    return Beside(float(numbers.mean()), spread, round(values[0]["n"]), round(values[0]["m"]))
