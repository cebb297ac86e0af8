"""What of a study's folder its steps wrote, and what somebody else put there."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from neuromf.runtime.folders import COMMON, Output
from neuromf.runtime.records import RecordError
from neuromf.study.folder import read_table
from neuromf.verbs import VERBS

# of the processes of arms, which write them without a word in the study's files.txt
LOOSE = ("arms/*/state.json", "arms/*/log.txt", "arms/*/*.failed", "arms/*/.lock", "slurm/*.out")
OUTPUT = Output(
    "sweep",
    ("study.json", "arms/*/*.yaml", "arms/*/*/**", "slurm/*.sh", "slurm/*.txt", *LOOSE),
    loose=LOOSE,
)


def replaceable(folder: Path, steps: Mapping[str, str]) -> Output:
    """Return what a new study with these steps, verbs by name, may replace in a folder: below
    arms/NAME/STEP what the step's verb writes there, and nothing else.

    An earlier study may have had other steps: those that its table names count as well.
    """
    patterns = [p for p in OUTPUT.patterns if p != "arms/*/*/**"]
    loose = list(LOOSE)
    for step, verb in {*_earlier(folder).items(), *steps.items()}:
        written = _written(verb)
        below = f"arms/*/{step}"
        patterns += [f"{below}/{p}" for output in written for p in (*COMMON, *output.patterns)]
        loose += [f"{below}/{p}" for output in written for p in output.loose]
        if not written:  # what its files.txt lists
            patterns.append(f"{below}/**")
    return Output("sweep", tuple(patterns), loose=tuple(loose))


def _earlier(folder: Path) -> dict[str, str]:
    try:
        return read_table(folder).steps
    except (OSError, RecordError):  # none, or damaged
        return {}


def _written(verb: str) -> list[Output]:
    """Return what a verb says that it writes: OUTPUT of its module, or OUTPUTS of several verbs."""
    if verb not in VERBS:  # of another version
        return []
    module = importlib.import_module(VERBS[verb].module)
    found = [getattr(module, "OUTPUT", None), *getattr(module, "OUTPUTS", {}).values()]
    return [output for output in found if output is not None and output.verb == verb]
