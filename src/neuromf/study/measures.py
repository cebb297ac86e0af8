"""The measures of a run, by its verb, of which the tables of a study are made."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from neuromf.evaluation.results import read_scores
from neuromf.evaluation.score import Better
from neuromf.runtime.records import RecordError, read_json_object


class Measure(NamedTuple):
    """One number of a run."""

    value: float
    better: Better = "none"
    label: str = ""  # its name, if empty


Measures = dict[str, Measure]

# the start of a name -> which way is better; of anything else, neither
LOWER = ("distance_", "composition_residual", "loss_epoch_", "raw", "weighted", "seconds")
HELD_OUT = "held_out/"  # measures of evaluation.csv


def read_measures(verb: str, folder: Path) -> Measures:
    """Return the numbers of a finished run; those that are not finite are there.

    Raises ValueError where the run has not finished, or its files cannot be read, with a short
    reason.
    """
    try:
        record = read_json_object(folder / "run.json")
    except FileNotFoundError:
        raise ValueError("not run") from None
    if record.get("state") != "finished":
        raise ValueError(f"not finished (run.json says {record.get('state')})")

    found = {"seconds": Measure(float(record.get("seconds", math.nan)), "lower", "seconds")}
    reader = READERS.get(verb)
    try:
        return found | (reader(folder) if reader else {})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"not readable ({_short(error)})") from None


def of_toy(folder: Path) -> Measures:
    """Return the figures of a toy study; of several arms, after each arm's name."""
    arms = read_json_object(folder / "metrics.json")
    return {
        f"{arm}/{name}" if len(arms) > 1 else name: Measure(float(value), better(name))
        for arm, metrics in arms.items()
        for name, value in metrics.items()
    }


def of_evaluation(folder: Path) -> Measures:
    """Return the scores of an evaluation; of several sets, after each set's name."""
    sets = read_scores(folder / "scores.json").sets
    return {
        f"{name}/{s.key}" if len(sets) > 1 else s.key: Measure(s.value, s.better, s.label)
        for name, found in sets.items()
        for s in found.scores
    }


def of_training(folder: Path) -> Measures:
    """Return the last row of a training's log, and of its evaluation on held-out data."""
    found = {name: Measure(value, better(name)) for name, value in _last(folder / "log.csv")}
    if (folder / "evaluation.csv").is_file():
        rows = _last(folder / "evaluation.csv")
        found |= {HELD_OUT + name: Measure(value, _of_held_out(name)) for name, value in rows}
    return found


def of_generation(folder: Path) -> Measures:
    """Return the seconds that a volume took."""
    timing = read_json_object(folder / "timing.json")
    return {
        f"{part}_seconds": Measure(seconds / timing["volumes"], "lower", f"{part}, s a volume")
        for part, seconds in timing["seconds"].items()
    }


def of_conditions(folder: Path) -> Measures:
    """Return how well each set follows each condition."""
    with (folder / "conditions.csv").open(newline="", encoding="utf-8") as stream:
        return {
            f"{row['condition']}/{row['set']}/{row['measure']}": Measure(
                float(row["value"]), "higher"
            )
            for row in csv.DictReader(stream)
        }


def of_usefulness(folder: Path) -> Measures:
    """Return mean Dice coefficients, and differences to real data alone, by arm and size."""
    found: Measures = {}
    for line in read_json_object(folder / "usefulness.json")["lines"]:
        for name in ("dice", "difference"):
            if name in line:
                found[f"{line['arm']}@{line['size']}/{name}"] = Measure(line[name], "higher")
    return found


READERS: Mapping[str, Callable[[Path], Measures]] = {
    "toy": of_toy,
    "evaluate": of_evaluation,
    "compare": of_evaluation,
    "train": of_training,
    "generate": of_generation,
    "conditions": of_conditions,
    "usefulness": of_usefulness,
}
# shown where no measure is named: patterns of names, of the last step
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "toy": ("*distance_1", "*distance_5", "*composition_residual"),
    "evaluate": ("*/fid", "*/recall", "spectrum/high", "voxels/ms_ssim", "voxels/ssim"),
    "compare": ("*/fid", "*/recall", "*spectrum/high"),
    "train": ("raw", "held_out/v_linear", "held_out/swd", "held_out/fid"),
    "generate": ("network_seconds",),
    "conditions": ("*/r", "*/accuracy"),
    "usefulness": ("*/dice",),
}


def better(name: str) -> Better:
    """Return which way a number of a training is better."""
    return "lower" if name.startswith(LOWER) else "none"


def _of_held_out(name: str) -> Better:
    return "none" if name in ("update", "seconds") else "lower"


def _last(path: Path) -> list[tuple[str, float]]:
    """Return the last row of a CSV file of numbers; cells that hold none are left out."""
    with path.open(newline="", encoding="utf-8") as stream:
        row: dict[str, Any] = list(csv.DictReader(stream))[-1]
    return [(name, float(value)) for name, value in row.items() if value]


def _short(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no {Path(error.filename or '').name}"
    if isinstance(error, RecordError):
        return str(error)
    return f"{type(error).__name__}: {error}"
