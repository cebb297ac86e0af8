"""Whether the arms of a study were measured on the same data, as far as their folders say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from neuromf.evaluation.results import read_scores
from neuromf.study.folder import Table, arm_folder

# keys of configurations that name data
DATA = ("latents", "volumes", "reference", "real", "generated", "simulated", "train", "table")
SHOWN = 3  # of the values that differ


def differing_sources(folder: Path, table: Table) -> Iterator[str]:
    """Yield a sentence for each thing that arms which are compared should share and do not: data
    between the seeds of a group; reference, networks and numbers of an evaluation between all arms.
    """
    for step, verb in table.steps.items():
        folders = {arm.name: arm_folder(folder, arm.name) / step for arm in table.arms}
        named = {name: _configured(path, folder) for name, path in folders.items()}
        for group in table.groups:
            own = {a.name: named[a.name] for a in table.arms if a.group == group}
            yield from _apart(own, f"{step}: seeds of {group}")
        if verb in ("evaluate", "compare"):
            yield from _apart({n: _evaluated(p) for n, p in folders.items()}, f"{step}: arms")


def _apart(found: Mapping[str, Mapping[str, str]], who: str) -> Iterator[str]:
    for key in dict.fromkeys(key for values in found.values() for key in values):
        by_value: dict[str, list[str]] = {}
        for name, values in found.items():
            if key in values:
                by_value.setdefault(values[key], []).append(name)
        if len(by_value) > 1:
            each = [f"{value} ({arms[0]})" for value, arms in list(by_value.items())[:SHOWN]]
            yield f"{who} differ in {key}: {', '.join(each)}; their numbers cannot be compared"


def _configured(path: Path, study: Path) -> dict[str, str]:
    """Return the data that the configuration of a run names; not what the study itself made."""
    try:
        record: Any = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    if not isinstance(record, dict):
        return {}
    made = str(study / "arms")
    texts = {key: str(record[key]) for key in DATA if record.get(key)}
    return {key: text for key, text in texts.items() if made not in text}


def _evaluated(path: Path) -> dict[str, str]:
    """Return what the scores of an evaluation were measured with."""
    try:
        results = read_scores(path / "scores.json")
    except (OSError, ValueError):
        return {}
    reference, protocol = results.reference, results.protocol
    found = {"reference": f"{reference.n} volumes of {reference.name}"}
    found |= {f"network {e.key}": e.sha256[:12] for e in results.extractors}
    found["volumes of a set"] = ", ".join(str(s.n) for s in results.sets.values())
    return found | {"bootstrap samples": str(protocol.bootstrap), "pairs": str(protocol.pairs)}
