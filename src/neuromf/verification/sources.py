"""The runs that figures are read from: made beside the table, or found there and kept."""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neuromf.invoke import resolved
from neuromf.verbs import VERBS
from neuromf.verification.suite import ROOT
from neuromf.verification.table import MEASURED, Figure, Source

log = logging.getLogger("neuromf")
RUNS = "runs"  # below the folder of the table


class MissingError(LookupError):
    """A figure that is not there; the message says why."""


def make(
    sources: Mapping[str, Source], given: Mapping[str, str], out: Path, *, quick: bool
) -> dict[str, str]:
    """Run what has not finished yet, each in out/runs/NAME, and return why a source is missing.

    `given` are the folders of the user, by name. A run that fails is missing with its message.
    """
    missing: dict[str, str] = {}
    for name, source in sources.items():
        folder = out / RUNS / name
        if _finished(folder):
            continue
        why = _absent(source, given, missing, quick=quick)
        if why:
            missing[name] = why
            continue
        log.info("%s: neuromf %s %s", name, source.verb, " ".join(source.words))
        places = {"$" + key: value for key, value in given.items() if value}
        places |= {f"${other}": str(out / RUNS / other) for other in sources}
        words = [_placed(word, places) for word in source.words]
        try:
            _run(source.verb, words, folder)
        except (OSError, ValueError, RuntimeError) as error:
            missing[name] = f"neuromf {source.verb} failed: {error}"
            log.warning("%s: %s", name, missing[name])
    return missing


def value(
    figure: Figure, key: str, out: Path, measured: Mapping[str, float], missing: Mapping[str, str]
) -> float:
    """Return a number of a figure's source. Raises MissingError where it is not there."""
    if figure.source == MEASURED:
        if key not in measured:
            raise MissingError(f"{key} was not measured here")
        return measured[key]

    name, _, file = figure.source.partition("/")
    path = ROOT / figure.source if figure.recorded else out / RUNS / name / file
    if name in missing:
        raise MissingError(missing[name])
    try:
        return _looked_up(json.loads(path.read_text(encoding="utf-8")), key)
    except FileNotFoundError:
        raise MissingError(f"no {figure.source} here") from None
    except (KeyError, IndexError, TypeError, ValueError):
        raise MissingError(f"{figure.source} has no number {key}") from None


def hardware(figure: Figure) -> str:
    """Return the machine of a figure that was recorded, as its file names it."""
    try:
        told = json.loads((ROOT / figure.source).read_text(encoding="utf-8"))["hardware"]
        return str(told.get("gpu") or told["cpu"])
    except (OSError, KeyError, TypeError, ValueError):
        return "a machine that is not named"


def _absent(
    source: Source, given: Mapping[str, str], missing: Mapping[str, str], *, quick: bool
) -> str:
    if source.needs and not given.get(source.needs):
        return f"give {source.needs}=FOLDER"
    if quick and not source.quick:
        return "left out by quick=true"
    lost = [name for name in missing if f"${name}" in " ".join(source.words)]
    return f"needs {lost[0]}: {missing[lost[0]]}" if lost else ""


def _placed(word: str, places: Mapping[str, str]) -> str:
    for name, folder in places.items():
        word = word.replace(name, folder)
    return word


def _run(verb: str, words: list[str], folder: Path) -> None:
    config = resolved(verb, VERBS[verb], words)
    begun = (folder / "run.json").is_file()
    importlib.import_module(VERBS[verb].module).run(config, folder, resume=begun, overwrite=False)


def _finished(folder: Path) -> bool:
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and record.get("state") == "finished"


def _looked_up(tree: Any, key: str) -> float:
    for name in key.split("."):
        tree = tree[int(name)] if isinstance(tree, list) else tree[name]
    return float(tree)
