"""`neuromf evaluate`: one set of samples against held-out people."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuromf.evaluation.measured import Bench, Protocol, inputs
from neuromf.evaluation.report import RESULT_FILES, say, write_results
from neuromf.evaluation.run import judge
from neuromf.evaluation.sets import named, read_set
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run

OUTPUT = Output("evaluate", RESULT_FILES, loose=("synthseg/**",))


@dataclass(frozen=True)
class EvaluateConfig(Protocol):
    """Which samples, against whom, by what."""

    samples: str = ""  # a folder that generate wrote, or any of NIfTI volumes in [0, 1]


def run(config: EvaluateConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write scores.json, scores.csv, figures/ and index.html into `out`; return
    how many files were left out.

    Raises FileNotFoundError for missing folders or weights, FrameError for sets of unlike size,
    ValueError for a reference of training people.
    """
    if not config.samples:
        raise ValueError(
            "samples= names no folder: one that `neuromf generate` wrote, or any of NIfTI volumes"
        )
    samples = named(read_set(config.samples, contrast=config.contrast))
    bench = Bench(config, out, [samples])
    with open_run(
        out, config, OUTPUT, inputs(config, config.samples), resume=resume, overwrite=overwrite
    ):
        results = judge([samples], bench)
        if results is None:
            print(f"part {config.part}: features are in {bench.cache.folder}")
            return len(bench.rejected)
        write_results(results, out, f"{samples.name}: {len(results.sets[0].material)} volumes")
        say(results, out)
    return len(bench.rejected)
