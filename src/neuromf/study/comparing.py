"""The tests of a study: Welch's t or Welch's ANOVA with Games and Howell's comparisons, and
differences paired by seed; one training is one value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from neuromf.evaluation.score import Better
from neuromf.metrics.aggregates import ENOUGH, interval_of_improvement, probability_of_improvement
from neuromf.metrics.effects import UNKNOWN, Effect, hedges_g, paired_effect
from neuromf.metrics.hypotheses import (
    Comparison,
    Untestable,
    games_howell,
    paired,
    welch,
    welch_anova,
)
from neuromf.metrics.intervals import Interval, holm
from neuromf.runtime.randomness import Purpose, generator
from neuromf.study.collected import Collected, Known
from neuromf.study.families import Family, Slice

NONE = Interval(math.nan, math.nan)
Seeds = Mapping[int, float]  # value by seed


@dataclass(frozen=True)
class Paired:
    """Differences of two groups by the seeds that both have."""

    seeds: tuple[int, ...]
    difference: float = math.nan
    interval: Interval = NONE
    p: float = math.nan
    p_holm: float = math.nan
    effect: Effect = UNKNOWN  # d_z
    note: str = ""


@dataclass(frozen=True)
class Result:
    """One row of tests.csv; NaN where something cannot be told, and `note` says why."""

    family: str
    at: str
    measure: str
    test: str
    groups: tuple[str, ...]
    names: tuple[str, ...]  # of the groups within their slice
    n: tuple[int, ...]
    difference: float = math.nan  # first minus second
    interval: Interval = NONE
    statistic: float = math.nan
    df: tuple[float, ...] = ()
    p: float = math.nan
    p_holm: float = math.nan
    effect: Effect = UNKNOWN  # Hedges' g
    improvement: float = math.nan  # probability that the first is better
    improvement_interval: Interval = NONE
    pairs: Paired | None = None
    note: str = ""


def compare(family: Family, collected: Collected, measure: Known, seed: int = 0) -> list[Result]:
    """Return the tests of one family in one measure, with p values corrected."""
    tests = []
    for number, part in enumerate(family.slices):
        values = {g: collected.of_group(measure.name, g) for g in part.groups}
        values = {g: v for g, v in values.items() if v}
        if len(values) > 1:
            start = Result(family.name, part.at, measure.name, "", (), (), ())
            tests += _of_slice(start, part, values, measure.better, (seed, number + 1))
    return _corrected(tests)


def _of_slice(
    start: Result, part: Slice, values: Mapping[str, Seeds], better: Better, draw: tuple[int, int]
) -> list[Result]:
    """Return the tests of the groups of a slice that have values."""
    pairs = [
        _pair(_named(start, "Welch t", part, values, pair), values, better, draw)
        for pair in itertools.combinations(values, 2)
    ]
    if len(values) == 2:
        return [_with_welch(pairs[0], values)]

    return _of_several(start, part, values, pairs)


def _of_several(
    start: Result, part: Slice, values: Mapping[str, Seeds], pairs: Sequence[Result]
) -> list[Result]:
    """Return the analysis of variance of three groups or more, and their pairs with Games and
    Howell's p values; groups of one seed are left out of both.
    """
    able = {g: v for g, v in values.items() if len(v) > 1}
    able = able if len(able) > 1 else dict(values)
    alone = ", ".join(part.groups[g] for g in values if g not in able)
    note = f"without {alone}, which has one seed" if alone else ""
    whole = replace(_named(start, "Welch ANOVA", part, able, tuple(able)), note=note)
    pairs = [replace(pair, test="Games-Howell") for pair in pairs]

    arrays = [list(v.values()) for v in able.values()]
    try:
        found, each = welch_anova(arrays), games_howell(arrays)
    except Untestable as reason:
        return [replace(test, note=_joined(test.note, str(reason))) for test in (whole, *pairs)]

    names = list(able)
    by_pair = {(names[e.a], names[e.b]): e.comparison for e in each}
    df = (found.df_between, found.df_within)
    whole = replace(whole, statistic=found.statistic, df=df, p=found.p)
    return [
        whole,
        *(_of_pair(pair, by_pair.get((pair.groups[0], pair.groups[1]))) for pair in pairs),
    ]


def _of_pair(pair: Result, found: Comparison | None) -> Result:
    if found is None:
        return replace(pair, note=_joined(pair.note, "a group has one seed: no test"))
    return _with(pair, found)


def _named(
    start: Result, test: str, part: Slice, values: Mapping[str, Seeds], groups: tuple[str, ...]
) -> Result:
    names = tuple(part.groups[g] for g in groups)
    return replace(
        start, test=test, groups=groups, names=names, n=tuple(len(values[g]) for g in groups)
    )


def _pair(
    test: Result, values: Mapping[str, Seeds], better: Better, draw: tuple[int, int]
) -> Result:
    """Return what is said of two groups besides a test of all seeds."""
    a, b = (values[g] for g in test.groups)
    x, y = list(a.values()), list(b.values())
    test = replace(
        test,
        difference=math.fsum(x) / len(x) - math.fsum(y) / len(y),
        effect=hedges_g(x, y),
        pairs=_paired(a, b),
    )
    if better not in ("lower", "higher"):
        return test

    one, other = (y, x) if better == "lower" else (x, y)  # the larger of which is the better
    test = replace(test, improvement=probability_of_improvement(one, other))
    if min(len(x), len(y)) < ENOUGH:
        return test
    drawn = interval_of_improvement(one, other, generator(Purpose.BOOTSTRAP, *draw))
    return replace(test, improvement_interval=drawn)


def _paired(a: Seeds, b: Seeds) -> Paired:
    seeds = tuple(sorted(a.keys() & b.keys()))
    x, y = ([values[s] for s in seeds] for values in (a, b))
    d = [one - other for one, other in zip(x, y, strict=True)]
    found = Paired(seeds, math.fsum(d) / len(d) if d else math.nan, effect=paired_effect(d))
    if len(seeds) < max(len(a), len(b)):
        found = replace(
            found, note=f"paired over {len(seeds)} common seeds of {len(a)} and {len(b)}"
        )
    try:
        test = paired(x, y)
    except Untestable as reason:
        return replace(found, note=_joined(found.note, str(reason)))
    return replace(found, interval=test.interval, p=test.p)


def _with_welch(test: Result, values: Mapping[str, Seeds]) -> Result:
    a, b = (list(values[g].values()) for g in test.groups)
    try:
        return _with(test, welch(a, b))
    except Untestable as reason:
        return replace(test, note=_joined(test.note, str(reason)))


def _with(test: Result, found: Comparison) -> Result:
    return replace(
        test, interval=found.interval, statistic=found.statistic, df=(found.df,), p=found.p
    )


def _corrected(tests: Sequence[Result]) -> list[Result]:
    """Return tests with corrected p values.

    Holm over the one test of each slice; Games and Howell's p values, which hold for all pairs of
    their slice, times the number of slices that have some; Holm over all paired tests.
    """
    whole = _holm([t.p if t.test != "Games-Howell" else math.nan for t in tests])
    slices = len({t.at for t in tests if t.test == "Games-Howell" and math.isfinite(t.p)})
    by_seed = _holm([t.pairs.p if t.pairs else math.nan for t in tests])

    corrected = []
    for test, p, p_paired in zip(tests, whole, by_seed, strict=True):
        if test.test == "Games-Howell" and math.isfinite(test.p):
            p = min(1.0, test.p * slices)  # noqa: PLW2901 - another correction
        pairs = replace(test.pairs, p_holm=p_paired) if test.pairs else None
        corrected.append(replace(test, p_holm=p, pairs=pairs))
    return corrected


def _holm(p: Sequence[float]) -> list[float]:
    """Return p values corrected together; NaN stays, and counts for nothing."""
    real = holm([value for value in p if math.isfinite(value)])
    rest = iter(real)
    return [next(rest) if math.isfinite(value) else value for value in p]


def _joined(*texts: str) -> str:
    return "; ".join(text for text in texts if text)
