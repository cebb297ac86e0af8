"""`neuromf evaluate`: samples against held-out people. `neuromf compare`: several sets of samples
in one table, with the same reference, features and numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuromf.evaluation.config import EvaluationConfig
from neuromf.evaluation.measurer import Measurer
from neuromf.evaluation.report import RESULT_FILES, say, write_results
from neuromf.evaluation.run import evaluate
from neuromf.evaluation.sets import VolumeSet, named, read_set, read_sets
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run


@dataclass(frozen=True)
class EvaluateConfig(EvaluationConfig):
    """Which samples, against whom, by what."""

    samples: str = ""  # a folder that generate wrote, or any of NIfTI volumes in [0, 1]

    def read(self) -> list[VolumeSet]:
        """Return the set. Raises ValueError where none is named."""
        if not self.samples:
            raise ValueError(
                "samples= names no folder: one that `neuromf generate` wrote, "
                "or any of NIfTI volumes"
            )
        return [named(read_set(self.samples, contrast=self.contrast))]

    def inputs(self) -> list[object]:
        """Return the folders that are read, none of which the output may be."""
        return [self.samples, *super().inputs()]


@dataclass(frozen=True)
class CompareConfig(EvaluationConfig):
    """Which sets, against whom, by what."""

    sets: Any = ""  # folders, [a,b,c]; or in YAML names of folders, {one call: a, five calls: b}

    def read(self) -> list[VolumeSet]:
        """Return the sets. Raises ValueError for fewer than two."""
        sets = read_sets(self.sets, self.contrast)
        if len(sets) < 2:
            raise ValueError(
                f"sets={self.sets} is one folder: compare takes "
                "two or more, `neuromf evaluate` takes one"
            )
        return sets

    def inputs(self) -> list[object]:
        """Return the folders that are read, none of which the output may be."""
        return [self.sets, *super().inputs()]


OUTPUTS = {
    EvaluateConfig: Output("evaluate", RESULT_FILES, loose=("synthseg/**",)),
    CompareConfig: Output("compare", RESULT_FILES, loose=("synthseg/**",)),
}


def run(
    config: EvaluateConfig | CompareConfig,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> int:
    """Write scores.json, scores.csv, slices.safetensors, figures/ and index.html into `out`;
    return how many files were left out.

    All sets are cut to the number of the smallest, drawn at random. Raises FileNotFoundError for
    missing folders or weights, FrameError for sets of unlike size, ValueError for a reference of
    training people.
    """
    sets = config.read()
    measurer = Measurer(replace(config, n=number_of_each(sets, config.n)), out, sets)
    output = OUTPUTS[type(config)]
    with open_run(out, config, output, config.inputs(), resume=resume, overwrite=overwrite):
        evaluated = evaluate(sets, measurer)
        if evaluated is None:
            print(f"part {config.part}: features are in {measurer.cache.folder}")
        else:
            write_results(evaluated, out)
            say(evaluated.results, out)
    return len(measurer.rejected)


def number_of_each(sets: Sequence[VolumeSet], n: int) -> int:
    """Return how many volumes of each set are taken: n, or as many as the smallest of several
    has; 0 is all.
    """
    if len(sets) == 1:
        return n
    smallest = min(map(len, sets))
    return min(n or smallest, smallest)
