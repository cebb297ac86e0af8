"""Training, validation and test subjects: by subject, stratified, the same for the same seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class SplitConfig:
    """Shares of the subjects; what is left is for training."""

    val: float = 0.10
    test: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        if self.val < 0 or self.test < 0 or self.val + self.test >= 1:
            raise ValueError(f"shares of val {self.val} and test {self.test}: not negative, and below 1 together")


def split_subjects(
    strata: Mapping[str, str], config: SplitConfig = SplitConfig(), given: Mapping[str, Split] | None = None
) -> dict[str, Split]:
    """Return the split of each subject, given the stratum of each (dataset and diagnosis, for example).

    Subjects in `given` keep their split: a cohort that grows moves nobody.

    Within a stratum, subjects are ordered by a hash of seed and name; val and test are then dealt evenly along all
    strata, so that each stratum gets its share to within one subject and the whole cohort to within half a subject.
    """
    given = {s: split for s, split in (given or {}).items() if s in strata}
    order = sorted(strata.keys() - given.keys(), key=lambda subject: (strata[subject], _rank(config.seed, subject)))
    splits: dict[str, Split] = dict(given)
    shares: dict[Split, float] = {"test": config.test, "val": config.val}
    held = list(given.values())
    due = {name: 0.5 + share * len(held) - held.count(name) for name, share in shares.items()}
    for subject in order:
        splits[subject] = "train"
        for name, share in shares.items():
            due[name] += share
        ready = [name for name in shares if due[name] >= 1]
        if ready:
            splits[subject] = ready[0]
            due[ready[0]] -= 1
    return {subject: splits[subject] for subject in strata}


def _rank(seed: int, subject: str) -> str:
    return hashlib.sha256(f"{seed}:{subject}".encode()).hexdigest()
