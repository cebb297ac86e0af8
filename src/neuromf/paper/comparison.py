"""Sets of samples at several numbers of network calls, from runs of `neuromf compare`."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from neuromf.evaluation.results import ReferenceRecord, Results, SetRecord, read_scores
from neuromf.features.extractors import kind_of
from neuromf.paper.missing import DifferentDataError, MissingError
from neuromf.paper.sources import Cited, Given, Sources, finished_run, reading
from neuromf.runtime.folders import local_path
from neuromf.runtime.records import read_json_object

FID = "/fid"
SERIES = {"meanflow": "MeanFlow", "flow": "rectified flow", "rectified": "rectified flow"}
SAME_POWER = 1e-4  # by which mean power of the same people may differ
NAME = re.compile(r"(?P<stem>.*?)[\s_-]*(?P<calls>\d+)?$")


@dataclass(frozen=True)
class Run:
    """One run of compare: its scores, and the records of the sets that they are of."""

    given: Given
    cited: Cited
    results: Results
    folders: dict[str, Path]  # of the sets whose records are there


@dataclass(frozen=True)
class Point:
    """A set of samples in all runs that have it: the same model and calls, other seeds."""

    name: str
    series: str
    calls: int
    calls_from: str  # where the number of calls was read
    seconds: float | None  # a volume, end to end, in the first run
    timing: Cited | None
    sets: dict[int, SetRecord] = field(default_factory=dict)  # by number of the run

    def values(self, key: str) -> dict[int, float]:
        """Return a score by number of the run, runs without a finite one left out."""
        found = {number: record.score(key) for number, record in self.sets.items()}
        return {n: s.value for n, s in found.items() if s is not None and math.isfinite(s.value)}

    def mean(self, key: str) -> float:
        """Return the mean of a score over runs, NaN where none has it."""
        values = self.values(key)
        return statistics.fmean(values.values()) if values else math.nan

    def spread(self, key: str) -> tuple[float, float]:
        """Return how far bars reach below and above: a standard deviation over runs, or the 95 %
        interval over volumes of a single one; NaN where there is neither.
        """
        values = self.values(key)
        if len(values) > 1:
            std = statistics.stdev(values.values())
            return std, std
        score = next((self.sets[n].score(key) for n in values), None)
        if score is None or score.interval is None:
            return math.nan, math.nan
        return score.value - score.interval.low, score.interval.high - score.value


@dataclass(frozen=True)
class Comparison:
    """Runs of compare on the same people, with the same features."""

    runs: list[Run]
    points: list[Point]

    @property
    def first(self) -> Results:
        """The results of the first run: reference and feature networks are those of all."""
        return self.runs[0].results

    def keys(self, ending: str) -> list[str]:
        """Return the keys of scores that end so, of any set."""
        found = (
            s.key for r in self.runs for record in r.results.sets.values() for s in record.scores
        )
        return list(dict.fromkeys(key for key in found if key.endswith(ending)))

    def fids(self, kind: str) -> list[str]:
        """Return the keys of FIDs in the features of 2.5d or 3d networks, whatever their names."""
        return [key for key in self.keys(FID) if kind_of(key.removesuffix(FID)) == kind]

    def cells(self, numbers: Iterable[int]) -> dict[str, str]:
        """Return the source of a mean over runs: those of all of them, joined."""
        cited = [self.runs[number].cited.cells for number in numbers]
        return {name: "; ".join(cells[name] for cells in cited) for name in cited[0]}

    def series(self) -> dict[str, list[Point]]:
        """Return the points of each series by rising number of calls."""
        found: dict[str, list[Point]] = {}
        for point in sorted(self.points, key=lambda point: point.calls):
            found.setdefault(point.series, []).append(point)
        order = list(SERIES.values())
        return dict(sorted(found.items(), key=lambda item: (*order, item[0]).index(item[0])))


def read_comparison(sources: Sources) -> Comparison:
    """Return the runs of compare with the sets that they have.

    Raises MissingError where one cannot be used, DifferentDataError where two are of other people,
    features or numbers.
    """
    runs = [_read_run(sources, given) for given in sources.all("compare")]
    for run in runs[1:]:
        refuse_other_data(runs[0].given, runs[0].results, run.given, run.results)

    points: dict[str, Point] = {}
    for number, run in enumerate(runs):
        for name, record in run.results.sets.items():
            if name not in points:
                points[name] = _point(sources, run, name)
            points[name].sets[number] = record
    return Comparison(runs, list(points.values()))


def refuse_other_data(one: Given, a: Results, other: Given, b: Results) -> None:
    """Raise DifferentDataError where two evaluations have other reference people, feature networks
    or numbers: their scores cannot stand in one figure.
    """
    equal = {
        "reference people": same_people(a.reference, b.reference),
        "feature networks": a.extractors == b.extractors,
        "volumes of a set": a.protocol.n == b.protocol.n,
    }

    for what, is_equal in equal.items():
        if not is_equal:
            raise DifferentDataError(
                f"{one.key}={one.text} and {other.key}={other.text} have different {what}: their "
                "scores cannot be compared; evaluate both against the same people, with the same "
                "extractors= and n="
            )


def same_people(a: ReferenceRecord, b: ReferenceRecord) -> bool:
    """Return True if two references are the same people, told by their name, number and power
    spectrum. Sizes of regions may be of another method, or unknown for some.
    """
    if (a.name, a.n, len(a.power)) != (b.name, b.n, len(b.power)):
        return False
    # another machine rounds otherwise; one other person changes the mean by percents
    return all(
        math.isclose(one, other, rel_tol=SAME_POWER)
        for one, other in zip(a.power, b.power, strict=True)
    )


def _read_run(sources: Sources, given: Given) -> Run:
    finished_run(given, "compare")
    with reading(given):
        results = read_scores(given.path / "scores.json")
        config = _yaml(given.path / "config.yaml")
    cited = sources.cite(given, given.path / "scores.json")
    return Run(given, cited, results, _folders(given.path, config.get("sets"), results))


def _folders(run: Path, listed: Any, results: Results) -> dict[str, Path]:
    """Return the folders of the sets whose records are there."""
    sets = listed.values() if isinstance(listed, dict) else listed or []
    paths = [local_path(str(text)) for text in sets]
    found = {}
    for name, path in zip(results.sets, paths, strict=False):
        namesakes = {other for other in paths if other.name == path.name}
        for folder in _places(run, path, alone=len(namesakes) == 1):
            if (folder / "config.yaml").is_file():
                found[name] = folder
                break
    return found


def _places(run: Path, path: Path, *, alone: bool) -> list[Path]:
    """Return where a set may be, the likeliest first: where compare read it, or beside the run,
    where copies of runs have it. Of sets with one last name, what is beside the run is of one.
    """
    if not alone:
        return [path]
    # a bare name is a copy's: in the folder of today it may be something else
    beside = run.parent / path.name
    return [beside, path] if path == Path(path.name) else [path, beside]


def _point(sources: Sources, run: Run, name: str) -> Point:
    """Return a set with its number of calls: of its own record, else of its name."""
    match = NAME.fullmatch(name)
    stem = match["stem"] if match else name
    folder = run.folders.get(name)
    calls, told = None, ""
    if folder is not None:
        with reading(run.given):
            record = _yaml(folder / "config.yaml")
        if isinstance(record.get("nfe"), int):
            calls, told = record["nfe"], "config.yaml of the samples"
            sources.cite(_samples(run, folder), folder / "config.yaml")

    if calls is None and match and match["calls"]:
        calls, told = int(match["calls"]), "name of the set"
    if calls is None:
        raise MissingError(
            run.given.key,
            f"the set {name} of {run.given.text} has no number of network calls: neither a "
            "config.yaml of its samples nor its name says one",
        )
    seconds, timing = _seconds(sources, run, folder)
    return Point(name, SERIES.get(stem.lower(), stem), calls, told, seconds, timing)


def _seconds(sources: Sources, run: Run, folder: Path | None) -> tuple[float | None, Cited | None]:
    """Return the seconds a volume took, end to end, from the timing of its samples."""
    path = folder / "timing.json" if folder is not None else None
    if path is None or not path.is_file():
        return None, None
    with reading(run.given):
        record = read_json_object(path)
        seconds = float(record["seconds"]["total"]) / int(record["volumes"])
    return seconds, sources.cite(_samples(run, path.parent), path)


def _samples(run: Run, folder: Path) -> Given:
    """Return the samples of a set as a source: named after the run that compared them."""
    return Given(run.given.key, f"{run.given.text} (samples {folder.name})", folder)


def _yaml(path: Path) -> dict[str, Any]:
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"{path.name} is no mapping of keys")
    return record
