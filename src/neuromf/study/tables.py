"""The results of a study: its groups, their comparisons, warnings, and what they cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuromf.study.collected import Collected, collect
from neuromf.study.comparing import Result, compare
from neuromf.study.families import families
from neuromf.study.figures import front_of
from neuromf.study.groups import Summary, summaries
from neuromf.study.limits import limits
from neuromf.study.sources import differing_sources


@dataclass(frozen=True)
class Tables:
    """All that is told of a study."""

    collected: Collected
    summaries: list[Summary]
    results: list[Result]
    warnings: list[str]
    limits: list[str]
    front: tuple[str, str, list[str]] | None  # FID, SSIM, and the groups on their front


def tables_of(
    folder: Path, measures: Sequence[str] = (), baseline: str = "", seed: int = 0
) -> Tables:
    """Return what is told of the study in a folder; `seed` is that of the bootstrap.

    Raises FileNotFoundError for a folder that is no study, RecordError for one of another format,
    ValueError where no arm has finished, or a measure or the baseline is not known.
    """
    collected = collect(folder, measures)
    planned = families(collected.table, baseline)
    summed = summaries(collected, seed)
    results = [
        result
        for family in planned
        for measure in collected.measures
        for result in compare(family, collected, measure, seed)
    ]
    return Tables(
        collected,
        summed,
        results,
        warnings(collected),
        limits(collected, planned),
        front_of(collected, summed),
    )


def warnings(collected: Collected) -> list[str]:
    """Return what a reader has to know before the numbers: arms that are not there, and data that
    is not the same.
    """
    said = [f"{arm}: {reason}" for arm, reason in collected.unfinished.items()]
    for measure in collected.measures:
        reasons = {
            arm: reason
            for arm, reason in collected.missing[measure.name].items()
            if arm not in collected.unfinished
        }
        said += [f"{arm}: {measure.name} is missing, {reason}" for arm, reason in reasons.items()]
    return said + list(differing_sources(collected.folder, collected.table))
