"""The small files of runs that the paper's figures and tables are made of, copied into the
repository in the runs' own layout: python benchmarks/paper_sources.py toy RUN, compare RUN.

Scores keep all but the replicates of their bootstrap, which no figure shows. Of paths on the
machine the last part is kept. origin.json names the run, with the SHA-256 of the original files.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import yaml

from neuromf.evaluation.results import read_scores, write_scores
from neuromf.runtime.checksums import file_sha256
from neuromf.runtime.files import write_json

HERE = Path(__file__).parent / "results" / "paper"
RUN = ("run.json", "config.yaml")
TEXTS = (".json", ".yaml")
PLACE = re.compile(r"(?<![\w.:/])/(?:[\w.-]+/)+(?=[\w.-])")  # of an absolute path
ARM = "d256-x"  # whose samples figure 2 shows


def copy_toy(run: Path, out: Path = HERE) -> Path:
    """Copy a run of `neuromf toy`: losses of every arm, samples of one."""
    files = [*RUN, "metrics.json", f"arms/{ARM}/samples.safetensors"]
    files += [path.relative_to(run).as_posix() for path in run.glob("arms/*/metrics.json")]
    return _copied(run, out / "toy", files)


def copy_compare(run: Path, out: Path = HERE) -> Path:
    """Copy a run of `neuromf compare`, and the records of its sets beside it."""
    target = _copied(run, out / "calls" / run.name, [*RUN, "scores.json"])
    without_replicates(target / "scores.json")
    listed = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["sets"]
    for text in listed.values() if isinstance(listed, dict) else listed:
        folder = Path(text) if Path(text).is_dir() else run.parent / Path(text).name
        _copied(folder, target.parent / folder.name, [*RUN, "timing.json"])
    return target


def copy_scores(run: Path, out: Path = HERE, name: str = "pairs-evaluation") -> Path:
    """Copy the scores of a run of `neuromf evaluate` or `compare` on pairs."""
    target = _copied(run, out / name, [*RUN, "scores.json"])
    without_replicates(target / "scores.json")
    return target


def without_replicates(path: Path) -> None:
    """Write scores again without the replicates of their bootstrap."""
    results = read_scores(path)
    sets = {
        name: replace(found, scores=tuple(replace(s, replicates=()) for s in found.scores))
        for name, found in results.sets.items()
    }
    write_scores(path, replace(results, sets=sets, copies={}))


def without_places(text: str) -> str:
    """Return a text whose absolute paths are their last parts."""
    return PLACE.sub("", text)


def _copied(run: Path, out: Path, files: list[str]) -> Path:
    origin = {}
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / name, out / name)
        if name.endswith(TEXTS):
            text = (run / name).read_text(encoding="utf-8")
            (out / name).write_text(without_places(text), encoding="utf-8")
        origin[name] = file_sha256(run / name)
    write_json(out / "origin.json", {"run": run.name, "sha256": origin})
    return out


WAYS: dict[str, Callable[[Path], Path]] = {
    "toy": copy_toy,
    "compare": copy_compare,
    "pairs": copy_scores,
}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in WAYS:
        sys.exit(f"python benchmarks/paper_sources.py {'|'.join(WAYS)} RUN")
    copied = WAYS[sys.argv[1]](Path(sys.argv[2]).resolve())
    size = sum(path.stat().st_size for path in copied.rglob("*") if path.is_file())
    print(json.dumps({"copied": str(copied), "bytes": size}))
