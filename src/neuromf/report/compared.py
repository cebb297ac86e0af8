"""The page that compares several trainings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from neuromf.report import glance
from neuromf.report.decoded import Decoded
from neuromf.report.findings import Finding, findings
from neuromf.report.overlaid import overlays
from neuromf.report.trained import Trained
from neuromf.reporting.page import render
from neuromf.reporting.viewer import needed, viewer
from neuromf.runtime.config import to_yaml
from neuromf.runtime.fields import flat

OWN = ("seed",)  # keys that tell runs apart and are no difference of what was trained


class Shared(NamedTuple):
    """A finding, and the names of all runs of which it holds."""

    finding: Finding
    names: list[str]


def comparison(
    runs: Sequence[Trained],
    refused: Mapping[str, str],
    seen: Mapping[str, Decoded],
    out: Path,
) -> str:
    """Return the page that compares trainings, for the report in `out`; `refused` are folders that
    are none, with the reason, `seen` volumes by the name of their run.
    """
    volumes = [volume for found in seen.values() for volume in found.volumes]
    heads = ("ended", "updates", "raw loss", "v-loss / linear", "best at", "swd", "samples/s")
    return render(
        "neuromf.report",
        "comparison.html",
        title=f"{len(runs)} trainings" if len(runs) > 1 else "One training",
        run=out,
        heads=(*heads, "memory", "time"),
        rows=[(run.name, cells(run)) for run in runs],
        found=shared({run.name: findings(run) for run in runs}),
        refused=refused,
        warnings=list(unlike(runs)),
        figures=overlays(runs),
        settings=settings_apart(runs),
        samples=last_samples(runs),
        viewer=viewer(volumes),
        most=len(volumes),
        unseen={name: found.missing for name, found in seen.items() if found.missing},
        **needed(volumes),
    )


def shared(found: Mapping[str, Sequence[Finding]]) -> list[Shared]:
    """Return what is wrong or doubtful of any run, the gravest first, each once with the names of
    its runs.
    """
    names: dict[Finding, list[str]] = {}
    for name, own in found.items():
        for finding in own:
            if finding.weight != "note":
                names.setdefault(finding, []).append(name)
    return [Shared(f, names[f]) for f in sorted(names, key=lambda f: f.weight != "wrong")]


def cells(run: Trained) -> list[str]:
    """Return the numbers of a run, as the table shows them."""
    wanted = f" of {run.settings.config.updates}" if run.settings.config else ""
    ratios = run.evaluation.points("v_linear")
    best = f"update {ratios[0][ratios[1].argmin()]:.0f}" if len(ratios[1]) else "–"
    return [
        run.state,
        f"{run.updates}{wanted}",
        shown(run.log.last("raw")),
        shown(float(ratios[1].min()) if len(ratios[1]) else math.nan),
        best,
        shown(run.evaluation.last("swd")),
        shown(glance.median(run, "samples_per_second")),
        shown(glance.highest(run, "memory_gb"), " GB"),
        glance.time(run),
    ]


def unlike(runs: Sequence[Trained]) -> Iterator[str]:
    """Yield why numbers of these runs may not be compared: other latents, other held-out losses of
    the linear filter, latents of another scale or size.
    """
    texts: dict[str, dict[str, list[str]]] = {}
    for run in runs:
        for what, value in _origin(run).items():
            texts.setdefault(what, {}).setdefault(value, []).append(run.name)

    for what, by_value in texts.items():
        if len(by_value) > 1:
            each = "; ".join(f"{value} ({_few(names)})" for value, names in by_value.items())
            yield f"The runs differ in {what}: {each}. Their losses cannot be compared."


def settings_apart(runs: Sequence[Trained]) -> list[tuple[str, list[str]]]:
    """Return the keys in which the configurations differ, each with the value of every run; those
    whose configuration cannot be read have none.
    """
    known: list[dict[str, Any]] = [_settings(run) for run in runs]
    keys = dict.fromkeys(key for values in known for key in values)
    found = []
    for key in keys:
        values = [str(k.get(key, "–")) if k else "not read" for k in known]
        if len({v for v, k in zip(values, known, strict=True) if k}) > 1 and key not in OWN:
            found.append((key, values))
    return found


def last_samples(runs: Sequence[Trained]) -> list[tuple[str, Path | None, int]]:
    """Return name, picture and update of the last samples of each run; None where it has none."""
    return [
        (r.name, r.previews[-1].picture, r.previews[-1].update) if r.previews else (r.name, None, 0)
        for r in runs
    ]


def shown(value: float, unit: str = "") -> str:
    """Return a number as a table shows it, a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.4g}{unit}"


def _origin(run: Trained) -> dict[str, str]:
    """Return what a run says of its data."""
    config = run.settings.config
    found = {}
    if config is not None:
        found["latents"] = config.latents.rstrip("/")
        found["latent_scale"] = f"{config.latent_scale:g}"
    if run.shape:
        found["the size of the latents"] = "×".join(map(str, run.shape))
    if run.linear:
        losses = ", ".join(f"{loss:.4g}" for loss in list(run.linear.values())[:3])
        found["the linear filter's v-loss on held-out latents"] = f"{losses}, …"
    return found


def _settings(run: Trained) -> dict[str, Any]:
    if run.settings.config is None:
        return {}
    # not its text: an earlier version's lacks keys, or has other names
    return dict(flat(yaml.safe_load(to_yaml(run.settings.config))))


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
