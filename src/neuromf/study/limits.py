"""What a study cannot tell: how many seeds there are, and how large a difference they show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from neuromf.metrics.power import (
    detectable,
    detectable_by_pairs,
    smallest_p,
    smallest_p_of_pairs,
)
from neuromf.study.collected import Collected
from neuromf.study.families import Family

FEW = 3  # seeds up to which tests say little


def limits(collected: Collected, families: Sequence[Family]) -> list[str]:
    """Return, as sentences, what cannot be told of the chosen measures."""
    counts = {
        len(own)
        for m in collected.measures
        for g in collected.table.groups
        if (own := collected.of_group(m.name, g))
    }
    with_values = {
        g
        for g in collected.table.groups
        if any(collected.of_group(m.name, g) for m in collected.measures)
    }
    said = []
    if len(with_values) < 2:
        said.append("One group has values: there is nothing to compare.")
    elif not families:
        said.append("No two groups differ in one axis alone: no comparison was planned.")
    if counts and len(with_values) > 1:
        said.append(of_seeds(min(counts), equal=len(counts) == 1))
    if said and len(collected.measures) > 1 and families:
        said.append(
            "P values are corrected within one axis and one measure, not over measures: name "
            "the measure that decides before looking."
        )
    return said


def of_seeds(n: int, *, equal: bool = True) -> str:
    """Return what groups of n seeds can tell and cannot; others have more, where not `equal`."""
    if n < 2:
        return (
            "A group has one seed: a difference from it cannot be told from the difference between "
            "two seeds, and is not tested. Start more seeds."
        )
    apart, by_seed = detectable(n, n), detectable_by_pairs(n)
    who = f"With {n} seeds in a group" if equal else f"Of groups with {n} seeds, the fewest"
    text = (
        f"{who}, a two-sided test at 0.05 finds with a probability of 0.8 only "
        f"differences of {_size(apart)} standard deviations between seeds or more, and paired by "
        f"seed, of {_size(by_seed)} standard deviations of the differences or more. A permutation "
        f"test could have no p below {smallest_p(n, n):.2g}, paired {smallest_p_of_pairs(n):.2g}."
    )
    if n <= FEW:
        text += (
            " A smaller difference may be there and not show: no significance is no sign of "
            "equality, and the normal distribution that p values assume cannot be checked."
        )
    return text


def _size(effect: float) -> str:
    return f"{effect:.1f}" if math.isfinite(effect) else "no size"
