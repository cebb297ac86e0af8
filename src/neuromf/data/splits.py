"""Training, validation and test subjects: by subject, stratified, the same for the same seed."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class SplitConfig:
    """Shares of the subjects; the rest is for training."""

    val: float = 0.10
    test: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if not (
            self.val >= 0 and self.test >= 0 and self.val + self.test < 1
        ):  # NaN fails all of them
            raise ValueError(
                f"shares of val {self.val} and test {self.test}: not negative, and below 1 together"
            )
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: 0 or more")


def split_subjects(
    strata: Mapping[str, str],
    config: SplitConfig = SplitConfig(),
    given: Mapping[str, Split] | None = None,
) -> dict[str, Split]:
    """Return the split of each subject, given the stratum of each (dataset and
    diagnosis, for example).

    Subjects in `given` keep their split: when a cohort grows, nobody changes split. Spellings of
    one name (see `person`) are one subject; if `given` has them in several splits, the one nearest
    to training is kept.

    Within a stratum, subjects are ordered by a hash of seed and name. val and test are then taken
    evenly along all strata, so that each stratum gets its share to within one subject, and the
    whole cohort to within half a subject.
    """
    spelled: dict[str, str] = {}
    for subject in sorted(strata, reverse=True):
        spelled[person(subject)] = subject  # the first in order, whatever the order of `strata`
    held = sorted(
        ((person(s), split) for s, split in (given or {}).items()),
        key=lambda g: -SPLITS.index(g[1]),
    )
    splits: dict[str, Split] = {key: split for key, split in held if key in spelled}

    order = sorted(
        spelled.keys() - splits.keys(),
        key=lambda key: (strata[spelled[key]], _rank(config.seed, spelled[key])),
    )
    shares: dict[Split, float] = {"test": config.test, "val": config.val}
    before = list(splits.values())
    due = {name: 0.5 + share * len(before) - before.count(name) for name, share in shares.items()}
    for key in order:
        splits[key] = "train"
        for name, share in shares.items():
            due[name] += share
        ready = [name for name in shares if due[name] >= 1]
        if ready:
            splits[key] = ready[0]
            due[ready[0]] -= 1
    return {subject: splits[person(subject)] for subject in strata}


def person(subject: str) -> str:
    """Return what spellings of one person's name have in common: sub-01, Sub-01 and SUB-01 are one,
    as on many file systems.
    """
    return unicodedata.normalize("NFC", subject).casefold()


def spellings(subjects: Iterable[str]) -> list[list[str]]:
    """Return the names of each person whose name is spelled in several ways."""
    names: dict[str, set[str]] = {}
    for subject in subjects:
        names.setdefault(person(subject), set()).add(subject)
    return [sorted(several) for several in names.values() if len(several) > 1]


def _rank(seed: int, subject: str) -> str:
    return hashlib.sha256(f"{seed}:{subject}".encode()).hexdigest()
