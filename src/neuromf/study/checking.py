"""What a study's trainings would refuse, said where the study is submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuromf.invoke import schema_of
from neuromf.runtime.cluster import Job, check
from neuromf.runtime.config import load_record
from neuromf.study.arms import REFERENCE, Arm
from neuromf.study.estimate import MEASUREMENTS
from neuromf.verbs import VERBS


def check_arms(arms: Sequence[Arm], steps: Mapping[str, str]) -> list[str]:
    """Return what the user should know of arms before they wait in a queue, each line once.

    A step that needs the folder of an earlier one cannot be checked yet. Steps of one kind, which
    differ in nothing that memory depends on, are checked once. Raises ValueError with the arm's
    name where a step would end before it makes anything.
    """
    seen: set[str] = set()
    said: dict[str, None] = {}
    for arm in arms:
        for step, verb in steps.items():
            if verb not in MEASUREMENTS or REFERENCE.search(arm.configs[step]):
                continue
            config = load_record(schema_of(VERBS[verb]), arm.configs[step], step)
            kind = f"{verb} {MEASUREMENTS[verb].depends(config)}"
            if kind in seen:
                continue
            seen.add(kind)
            try:
                lines = check(Job(verb, VERBS[verb].module, config, Path(arm.name, step)))
            except (ValueError, OSError) as error:
                raise ValueError(f"{arm.name}: {step}: {error}") from None
            said |= dict.fromkeys(f"{arm.name}: {line}" for line in lines)
    return list(said)
