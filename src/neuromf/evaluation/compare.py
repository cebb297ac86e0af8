"""`neuromf compare`: several sets of samples in one table, with the same reference,
features and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuromf.evaluation.measured import Bench, Protocol, inputs
from neuromf.evaluation.report import RESULT_FILES, say, write_results
from neuromf.evaluation.run import judge
from neuromf.evaluation.sets import read_sets
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run

OUTPUT = Output("compare", RESULT_FILES, loose=("synthseg/**",))


@dataclass(frozen=True)
class CompareConfig(Protocol):
    """Which sets, against whom, by what."""

    sets: Any = ""  # folders, [a,b,c]; or in YAML names of folders, {one call: a, five calls: b}


def run(config: CompareConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write scores.json, scores.csv, figures/ and index.html into `out`; return
    how many files were left out.

    All sets are cut to the number of the smallest, drawn at random. Raises
    what `neuromf evaluate` raises.
    """
    sets = read_sets(config.sets, config.contrast)
    if len(sets) < 2:
        raise ValueError(
            f"sets={config.sets} is one folder: compare takes "
            "two or more, `neuromf evaluate` takes one"
        )
    smallest = min(len(s) for s in sets)
    n = min(config.n or smallest, smallest)
    bench = Bench(replace(config, n=n), out, sets)
    with open_run(
        out, config, OUTPUT, inputs(config, config.sets), resume=resume, overwrite=overwrite
    ):
        results = judge(sets, bench)
        if results is None:
            print(f"part {config.part}: features are in {bench.cache.folder}")
            return len(bench.rejected)
        write_results(results, out, f"{len(sets)} sets of {n} volumes")
        say(results, out)
    return len(bench.rejected)
