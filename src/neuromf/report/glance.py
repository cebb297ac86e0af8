"""The tables of a training's page: at a glance, evaluations with references, samples, starts."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from neuromf.report.network import Network
from neuromf.report.trained import Trained
from neuromf.reporting.provenance import in_words

UNKNOWN = "not known"
REFERENCES = {
    "v_linear": "1: a linear filter",
    "error": "0: the teacher's samples",
    "swd": "0: the same distribution",
}
LABELS = {
    "v_linear": "v-loss over a linear filter's",
    "raw": "raw loss, held-out latents",
    "swd": "sliced Wasserstein distance",
    "error": "error to the teacher's samples",
    "fid": "2.5D FID, decoded samples",
}


class Grid(NamedTuple):
    """A table's heads and rows; a row is its name, its cells, and what they are compared with."""

    titles: list[str]
    rows: list[tuple[str, list[str], str]]


def glance(run: Trained, network: Network | None) -> list[tuple[str, str, str]]:
    """Return name, value and remark of what a reader asks first."""
    config, log = run.settings.config, run.log
    wanted = f" of {config.updates}" if config else ""
    rows = [("Ended", run.state, f"{run.updates}{wanted} updates")]
    rows.append(("Time", time(run), "all starts, with evaluation and samples"))
    if config is not None:
        rows.append(("Learns", learns(run), config.latents))
        per_update = config.batch * config.accumulate * config.devices * config.nodes
        each = f"batch {config.batch}, accumulate {config.accumulate}, devices {config.devices}"
        rows.append(("Latents an update", str(per_update), f"{each}, nodes {config.nodes}"))
        rows.append(("Runs on", config.device, f"{config.precision}; {machine(run)}"))
    if network is not None:
        rows.append(("Parameters", f"{network.parameters:,}", "of the UNet"))
    rows.append(
        ("Raw loss at the end", number(log.last("raw")), "mean over the last row's updates")
    )
    rows.append(("Samples per second", number(median(run, "samples_per_second")), "median"))
    rows.append(("Memory", f"{number(highest(run, 'memory_gb'))} GB", "highest row of log.csv"))
    return rows


def learns(run: Trained) -> str:
    """Return what kind of training a run is, in words."""
    config = run.settings.config
    if config is None:
        return UNKNOWN
    if config.teacher:
        how = "trajectories" if config.distillation.target == "trajectory" else "velocity"
        return f"average velocity from a teacher's {how}"
    if config.objective.jvp == "none":
        return "instantaneous velocity (rectified flow)"
    return f"average velocity (MeanFlow), prediction {config.objective.predict}"


def evaluated(run: Trained) -> Grid:
    """Return the first, best and last evaluation, with what each quantity is compared with."""
    told = run.evaluation
    if not len(told):
        return Grid([], [])
    ratio = told.values.get("v_linear", told.values.get("swd", np.full(len(told), math.nan)))
    best = int(np.nanargmin(ratio)) if np.isfinite(ratio).any() else len(told) - 1
    chosen = {"first": 0, "best": best, "last": len(told) - 1}
    titles = [f"{name}, update {told.update[i]:.0f}" for name, i in chosen.items()]

    rows = []
    for key, label in LABELS.items():
        if key in told.values:
            cells = [number(float(told.values[key][i])) for i in chosen.values()]
            rows.append((label, cells, REFERENCES.get(key, "")))
    for t, loss in sorted(run.linear.items()):
        if f"v_{t:g}" in told.values:
            cells = [number(float(told.values[f"v_{t:g}"][i])) for i in chosen.values()]
            rows.append((f"v-loss at t = {t:g}", cells, f"{number(loss)}: a linear filter"))
    return Grid(titles, rows)


def moments(run: Trained) -> dict[str, Any]:
    """Return mean ± standard deviation by channel of the last samples' latents, by network calls;
    empty where they are not known.
    """
    found = run.previews[-1].moments if run.previews else {}
    channels = sorted({int(k[5:]) for v in found.values() for k in v if k.startswith("mean_")})
    if not channels:
        return {}
    rows = [(calls, [_moment(values, c) for c in channels]) for calls, values in found.items()]
    return {"channels": [f"channel {c}" for c in channels], "rows": rows}


def starts(run: Trained) -> list[dict[str, Any]]:
    """Return a row for each start of a run."""
    rows = []
    for record in [*run.record.get("earlier", []), run.record]:
        git, versions = record.get("git", {}), record.get("versions", {})
        commit = str(git.get("commit", ""))[:12] + (", with changes" if git.get("changed") else "")
        last = record is run.record
        time = in_words(record["seconds"]) if "seconds" in record else UNKNOWN
        cells = [run.state if last else record.get("state", UNKNOWN), time]
        cells += [versions.get("neuromf", UNKNOWN), commit or UNKNOWN]
        cells += [versions.get("torch", UNKNOWN)]
        cells.append(f"{record.get('host', UNKNOWN)}, {record.get('processors', '?')} processors")
        rows.append({"started": str(record.get("started", UNKNOWN)), "cells": cells})
    return rows


def command(run: Trained) -> str:
    """Return the command line of a run's last start."""
    words = [str(word) for word in run.record.get("command", [])]
    return shlex.join(["neuromf", *words[1:]]) if words else UNKNOWN


def seconds(run: Trained) -> float:
    """Return how long all starts of a run took, as far as they say."""
    records = [*run.record.get("earlier", []), run.record]
    return float(sum(r.get("seconds", 0) for r in records))


def time(run: Trained) -> str:
    """Return the time of all starts in words; a start that was killed, or runs, tells none."""
    untold = [r for r in (*run.record.get("earlier", []), run.record) if "seconds" not in r]
    return f"{'more than ' if untold else ''}{in_words(seconds(run))}"


def machine(run: Trained) -> str:
    """Return what a run says of its machine."""
    told: Mapping[str, Any] = run.record
    return f"{told.get('host', UNKNOWN)}, {told.get('platform', UNKNOWN)}"


def median(run: Trained, column: str) -> float:
    """Return the median of a column of the log, NaN where there is none."""
    values = run.log.points(column)[1]
    return float(np.median(values)) if len(values) else math.nan


def highest(run: Trained, column: str) -> float:
    """Return the largest value of a column of the log, NaN where there is none."""
    values = run.log.points(column)[1]
    return float(values.max()) if len(values) else math.nan


def number(value: float) -> str:
    """Return a number as a reader wants it; `not known` for NaN."""
    return UNKNOWN if math.isnan(value) else f"{value:.4g}"


def _moment(values: Mapping[str, float], channel: int) -> str:
    mean, std = values.get(f"mean_{channel}", math.nan), values.get(f"std_{channel}", math.nan)
    return f"{mean:+.2f} ± {std:.2f}"
