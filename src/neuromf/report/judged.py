"""What `neuromf evaluate` found of samples of a training: values with their references."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from neuromf.runtime.records import RecordError, read_json_object
from neuromf.runtime.tables import read_table

COLUMNS = {"metric", "label", "value", "better", "equal_n.samples", "equal_n.real"}
SIDECARS = "sub-*/anat/*_desc-generated_*.json"


class Judgement(NamedTuple):
    """A metric: its value with interval, and at equal numbers that of samples, of the VAE's
    reconstructions and of real people.
    """

    label: str
    value: str
    samples: str
    reconstruction: str
    real: str
    better: str


@dataclass(frozen=True)
class Judged:
    """An evaluation of a run's samples, or why there is none."""

    folder: Path
    rows: tuple[Judgement, ...] = ()
    missing: str = ""
    doubt: str = ""  # why the samples may be of another run


def read_judged(folder: Path, run: Path) -> Judged:
    """Return the evaluation in a folder of `neuromf evaluate`, of samples of the training `run`."""
    path = folder / "scores.csv"
    try:
        columns, rows = read_table(path)
    except OSError:
        return Judged(folder, missing=f"{path} is not there: `neuromf evaluate` writes it")
    except ValueError as error:
        return Judged(folder, missing=str(error))
    lacking = sorted(COLUMNS - set(columns))
    if lacking or not rows:
        why = f"has no column {lacking[0]!r}" if lacking else "has no row"
        return Judged(folder, missing=f"{path} {why}")

    several = len({row.get("set", "") for row in rows}) > 1
    found = tuple(_judgement(row, several) for row in rows)
    return Judged(folder, found, doubt=_doubt(folder, run))


def _judgement(row: dict[str, str], several: bool) -> Judgement:
    low, high = number(row.get("low", "")), number(row.get("high", ""))
    interval = f" [{low}, {high}]" if "–" not in (low, high) else ""
    name = f"{row['metric'].rpartition('/')[0]}: {row['label']}"
    return Judgement(
        label=f"{row['set']}, {name}" if several else name,
        value=number(row["value"]) + interval,
        samples=number(row["equal_n.samples"]),
        reconstruction=number(row.get("equal_n.reconstruction", "")),
        real=number(row["equal_n.real"]),
        better=row["better"],
    )


def number(text: str) -> str:
    """Return a cell as a reader wants it, a dash for what is no number."""
    try:
        value = float(text)
    except ValueError:
        return "–"
    return "–" if math.isnan(value) else f"{value:.4g}"


def _doubt(folder: Path, run: Path) -> str:
    """Return why the samples that were evaluated are not of a run's model; empty where they are, or
    where nothing tells.
    """
    own = _json(run / "model" / "config.json").get("sha256")
    told = _samples(folder)
    theirs = _json(next(told.glob(SIDECARS), told)).get("ModelSha256") if told else None
    if own and theirs and own != theirs:
        return f"the samples are of another model ({theirs[:12]}) than this run's ({own[:12]})"
    return ""


def _samples(folder: Path) -> Path | None:
    """Return the folder of samples that an evaluation names."""
    try:
        lines = (folder / "config.yaml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("samples:")]
    return Path(named[0]) if named and named[0] else None


def _json(path: Path) -> dict[str, str]:
    try:
        return read_json_object(path)
    except (OSError, RecordError):
        return {}
