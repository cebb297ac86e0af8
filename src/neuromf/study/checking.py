"""What a study's trainings would refuse, said where the study is submitted."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from neuromf.invoke import schema_of
from neuromf.runtime.cluster import Job, check
from neuromf.runtime.config import load_record
from neuromf.study.arms import REFERENCE, Arm
from neuromf.verbs import VERBS

UNCHECKED = re.compile(r"(?m)^(seed|updates): .*$")  # keys that no check depends on


def check_arms(arms: Sequence[Arm], steps: Mapping[str, str]) -> list[str]:
    """Return what the user should know of arms before they wait in a queue, each line once.

    A step that needs the folder of an earlier one cannot be checked yet. Steps that differ in
    nothing but the seed and the number of updates are checked once. Raises ValueError with the
    arm's name where a step would end before it makes anything.
    """
    seen: set[str] = set()
    said: dict[str, None] = {}
    for arm in arms:
        for step, verb in steps.items():
            kind = verb + UNCHECKED.sub("", arm.configs[step])
            if kind in seen or REFERENCE.search(arm.configs[step]):
                continue
            seen.add(kind)
            config = load_record(schema_of(VERBS[verb]), arm.configs[step], step)
            try:
                lines = check(Job(verb, VERBS[verb].module, config, Path(arm.name, step)))
            except (ValueError, OSError) as error:
                raise ValueError(f"{arm.name}: {step}: {error}") from None
            said |= dict.fromkeys(f"{arm.name}: {line}" for line in lines)
    return list(said)
