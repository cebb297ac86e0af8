"""What an evaluation found, as scores.json holds it: every number that its table, figures and
page show, so that they can be drawn again.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from neuromf.evaluation.score import Score
from neuromf.evaluation.verdict import Verdict
from neuromf.metrics.intervals import holm, p_of_difference
from neuromf.runtime.files import write_text
from neuromf.runtime.records import RecordError, as_record, read_json_object

FORMAT = 2  # of scores.json; the first had no number
AGAIN = "run `neuromf evaluate` or `neuromf compare` again to write it as this version does"


@dataclass(frozen=True)
class ExtractorRecord:
    """A feature network."""

    key: str  # first part of the keys of its metrics
    name: str
    label: str
    sha256: str
    trained: bool


@dataclass(frozen=True)
class ProtocolRecord:
    """The numbers of the configuration that a reader of metrics needs."""

    n: int
    pairs: int
    bootstrap: int
    draws: int
    seed: int
    real: str


@dataclass(frozen=True)
class RegionRecord:
    """Sizes of a region, ml; NaN in `each` where a volume could not be segmented."""

    mean: float
    std: float
    each: tuple[float, ...]


@dataclass(frozen=True)
class ReferenceRecord:
    """The held-out people."""

    name: str
    n: int
    power: tuple[float, ...]  # mean power by spatial frequency, from 0 to Nyquist
    region_ml: dict[str, RegionRecord]


@dataclass(frozen=True)
class ReconstructionRecord:
    """The reconstructions of real volumes."""

    n: int
    power: tuple[float, ...]


@dataclass(frozen=True)
class SetRecord:
    """A set of samples."""

    n: int
    scores: tuple[Score, ...]
    power: tuple[float, ...]
    region_ml: dict[str, RegionRecord]

    def score(self, key: str) -> Score | None:
        """Return a score by its key."""
        return next((s for s in self.scores if s.key == key), None)


@dataclass(frozen=True)
class Difference:
    """The difference of a metric between two sets, and the p value of there being no
    difference, also corrected for the number of pairs (Holm).
    """

    key: str
    a: str
    b: str
    difference: float
    p: float
    p_holm: float


@dataclass(frozen=True)
class ClosePair:
    """A sample and the training volume nearest to it."""

    sample: str  # files
    training: str
    names: tuple[str, str]
    distance: float


@dataclass(frozen=True)
class CopiesRecord:
    """Distances to the nearest training volume in one space, and the nearest pairs."""

    space: str
    threshold: float
    closest: tuple[ClosePair, ...]
    samples: tuple[float, ...]  # of each sample
    held_out: tuple[float, ...]  # of each held-out person


@dataclass(frozen=True)
class Results:
    """All that was found."""

    title: str
    verdict: dict[str, Verdict]  # by set
    reference: ReferenceRecord
    extractors: tuple[ExtractorRecord, ...]
    protocol: ProtocolRecord
    vae: str | None
    regions_by: str | None
    sets: dict[str, SetRecord]
    reconstruction: ReconstructionRecord | None
    differences: tuple[Difference, ...]
    copies: dict[str, tuple[CopiesRecord, ...]]  # by set
    rejected: tuple[dict[str, str], ...]
    notes: tuple[str, ...]
    format: int = FORMAT


def write_scores(path: Path, results: Results) -> None:
    """Write results as JSON that `read_scores` reads back as they are. What is not finite is the
    text nan, inf or -inf.
    """
    text = json.dumps(_finite(msgspec.to_builtins(results)), indent=1, allow_nan=False)
    write_text(path, _lists_on_a_line(text) + "\n")


def read_scores(path: Path) -> Results:
    """Return what a scores.json holds.

    Raises FileNotFoundError where there is none, RecordError for one of an earlier version, or
    one that is not what it should be.
    """
    record = read_json_object(path, AGAIN)
    found = record.get("format")
    if found != FORMAT:
        what = "no format number" if found is None else f"format {found!r}"
        raise RecordError(f"{path} has {what}: format {FORMAT} is read; {AGAIN}")
    return as_record(record, Results, str(path), AGAIN, strict=False)


def differences(sets: dict[str, SetRecord]) -> Iterator[Difference]:
    """Yield the differences of each two sets, in each metric whose replicates can be compared."""
    scores = [(name, s) for name, found in sets.items() for s in found.scores if s.compared]
    for key in dict.fromkeys(score.key for _, score in scores):
        pairs = list(itertools.combinations([s for s in scores if s[1].key == key], 2))
        p = [p_of_equal(a, b) for (_, a), (_, b) in pairs]
        for ((one, a), (other, b)), raw, corrected in zip(pairs, p, holm(p), strict=True):
            yield Difference(key, one, other, a.value - b.value, raw, corrected)


def p_of_equal(a: Score, b: Score) -> float:
    """Return the p value of the hypothesis that two scores are equal, 1 if volumes are too few."""
    one, other = (torch.tensor(s.replicates, dtype=torch.float64) for s in (a, b))
    p = p_of_difference(a.value, b.value, one, other, min(a.n, b.n, a.reference))
    return p if math.isfinite(p) else 1.0


def _finite(value: Any) -> Any:
    """Return plain values with the names of those numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _lists_on_a_line(text: str) -> str:
    """Return indented JSON with lists of numbers on one line each."""
    # a line break is never inside of a string, so that strings stay as they are
    number = r'(?:-?\d[^\s",]*|"nan"|"-?inf")'
    lists = rf"\[\n\s*({number}(?:,\n\s*{number})*)\n\s*\]"
    return re.sub(lists, lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", text)
