"""`neuromf report RUN...`: a page of each training, and one that compares several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuromf.report.compared import comparison
from neuromf.report.config import ReportConfig
from neuromf.report.decoded import Decoded, decoded
from neuromf.report.findings import findings
from neuromf.report.judged import Judged, read_judged
from neuromf.report.page import run_page
from neuromf.report.trained import NoRunError, Trained, folders_of, read_trained
from neuromf.runtime.files import numbered, write_text
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run

GENERIC = ("train", "run")  # names of folders that say nothing without the one above
UNASKED = Decoded([], "volumes=0 asked for none")
ENOUGH = "as many as volumes= asks for are shown"
ELSEWHERE = Decoded([], "they are on the page that compares the trainings")
OUTPUT = Output("report", ("index.html", "runs/*.html"))


def run(config: ReportConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write the pages of the trainings into `out`: index.html of one; of several, index.html
    compares them and runs/NAME.html is the page of each. Return how many folders are no training:
    the page names them with the reason.

    Raises ValueError where none of the folders is a training.
    """
    if not config.runs:
        raise ValueError("report needs a folder of `neuromf train`: neuromf report runs/mine")
    paths = [local_path(text) for text in config.runs]
    named, refused = named_folders(paths)
    if not named:
        raise NoRunError("; ".join(refused.values()))

    judged = dict(zip(paths, map(local_path, config.evaluations), strict=False))
    with open_run(out, config, OUTPUT, inputs(config), resume=resume, overwrite=overwrite):
        if len(named) + len(refused) == 1:
            [(name, folder)] = named.items()
            trained = read_trained(folder, name)
            seen = decoded(trained) if config.volumes else UNASKED
            write_text(out / "index.html", run_page(trained, out, _judged(judged, folder), seen))
            say([trained])
        else:
            say(write_several(named, refused, judged, config.volumes, out))
        print(f"look at {out / 'index.html'}")
        for reason in refused.values():
            print(f"left out: {reason}")
    return len(refused)


def inputs(config: ReportConfig) -> list[str]:
    """Return the folders that a report reads."""
    return [*config.runs, *config.evaluations]


def write_several(
    named: Mapping[str, Path],
    refused: Mapping[str, str],
    judged: Mapping[Path, Path],
    volumes: int,
    out: Path,
) -> list[Trained]:
    """Write the page of each run, and the one that compares them, which alone has the viewer;
    return the runs.
    """
    (out / "runs").mkdir(exist_ok=True)
    runs: list[Trained] = []
    seen: dict[str, Decoded] = {}
    with progress("pages") as bar:
        task = bar.add_task("report", total=len(named))
        for name, folder in named.items():
            runs.append(read_trained(folder, name))
            shown = sum(len(found.volumes) for found in seen.values())
            seen[name] = decoded(runs[-1], ("fewest",)) if shown < volumes else Decoded([], ENOUGH)
            own = _judged(judged, folder)
            page = run_page(runs[-1], out, own, ELSEWHERE, "../index.html")
            write_text(out / "runs" / f"{name}.html", page)
            bar.advance(task)

    write_text(out / "index.html", comparison(runs, refused, seen, out))
    return runs


def say(runs: Sequence[Trained]) -> None:
    """Print how each run ended, and what is wrong or doubtful of it."""
    for run in runs:
        found = [f for f in findings(run) if f.weight != "note"]
        print(f"{run.name}: {run.state}, {run.updates} updates{':' if found else ''}")
        for finding in found:
            print(f"  {finding.text}")


def _judged(evaluations: Mapping[Path, Path], run: Path) -> Judged | None:
    """Return the evaluation of a run's samples, or of the stages that it is one of."""
    named = next((e for path, e in evaluations.items() if run.is_relative_to(path)), None)
    return None if named is None else read_judged(named, run)


def named_folders(paths: Sequence[Path]) -> tuple[dict[str, Path], dict[str, str]]:
    """Return the trainings in some folders by names that differ, and why others are none."""
    folders: list[Path] = []
    refused: dict[str, str] = {}
    for path in paths:
        try:
            folders += [f for f in folders_of(path) if f.resolve() not in _resolved(folders)]
        except NoRunError as error:
            refused[str(path)] = str(error)
    return dict(zip(short_names(folders), folders, strict=True)), refused


def short_names(folders: Sequence[Path]) -> list[str]:
    """Return a name for each folder: as many of its last parts as tell it from the others, and
    a number where that is not enough.
    """
    parts = [folder.resolve().parts[1:] or ("root",) for folder in folders]
    names = []
    for own in parts:
        others = [p for p in parts if p != own]
        first = 2 if own[-1] in GENERIC else 1
        depths = range(first, len(own))
        depth = next((d for d in depths if all(p[-d:] != own[-d:] for p in others)), len(own))
        names.append("-".join(own[-depth:]))
    return numbered(names)  # x/y and x-y are both x-y


def _resolved(folders: Sequence[Path]) -> set[Path]:
    return {folder.resolve() for folder in folders}
