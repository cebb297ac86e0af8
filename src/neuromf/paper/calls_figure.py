"""Figure 4: quality over the number of network calls, of MeanFlow and of a rectified flow; what
others published stands in a panel of its own, since its features are of another network.
"""

from __future__ import annotations

import math
import re
from typing import Any

from matplotlib.ticker import NullLocator

from neuromf.paper.arms_table import Arms, read_arms
from neuromf.paper.comparison import Comparison, Point, read_comparison
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.published import Curve, read_published
from neuromf.paper.sources import Cited, Sources
from neuromf.paper.style import (
    BLACK,
    GREY,
    LOOKS,
    WIDE,
    Look,
    letter,
    log_scale,
    page,
    shared_legend,
)

LOOK = {"MeanFlow": LOOKS[0], "rectified flow": LOOKS[1]}
CHANGES = {"usual": "MeanFlow", "rectified-flow": "rectified flow"}  # of studies/torus-training
DISTANCE = re.compile(r"distance_(\d+)")
CALLS = "network calls"
FIDS = {"b": "2.5d", "c": "3d"}  # panel -> kind of the networks that its FID is of


def draw(sources: Sources) -> Drawn:
    """Return the figure. Raises DifferentDataError where runs of compare are of other data."""
    rows: Rows = []
    missing: list[Missing] = []
    with page(WIDE, 4.6) as figure:
        panels = dict(zip("abcd", figure.subplots(2, 2).flat, strict=True))
        try:
            rows += _torus(panels["a"], read_arms(sources, "studies.torus_training"))
        except MissingError as error:
            missing.append(of_error("Figure 4a", error))
            draw_missing(panels["a"], missing[-1])

        comparison: Comparison | MissingError
        try:
            comparison = read_comparison(sources)
        except MissingError as error:
            comparison = error
        for name in FIDS:
            try:
                rows += _brains(panels[name], name, comparison)
            except MissingError as error:
                missing.append(of_error(f"Figure 4{name}", error))
                draw_missing(panels[name], missing[-1])

        found, cited = read_published()
        rows += _published(panels["d"], found.curves[0], cited)
        shared_legend(figure, (panels[name] for name in "abc"))
        for name, axes in panels.items():
            letter(axes, name)
    spread = _spread_said(comparison)
    return Drawn(4, "calls", figure, _caption(found.curves[0], spread), rows, missing)


def _torus(axes: Any, arms: Arms) -> Rows:
    """Draw the distance to the torus over calls, mean and standard deviation over seeds."""
    names = [m.name for m in arms.collected.measures]
    calls = {int(m[1]): name for name in names if (m := DISTANCE.fullmatch(name))}
    rows: Rows = []
    for label, series in CHANGES.items():
        for number, measure in sorted(calls.items()):
            group = next((g for g in arms.groups(measure) if label in g.values.values()), None)
            if group is not None:
                base = {"panel": "a", "series": series, "calls": number, "measure": measure}
                rows += [
                    base | {"seed": seed, "value": value} | arms.cited.cells
                    for seed, value in group.seeds.items()
                ]
                mean = {"seed": "mean", "value": group.mean, "std": group.std}
                rows.append(base | mean | {"n": len(group.seeds)} | arms.cited.cells)

        means = [row for row in rows if row["seed"] == "mean" and row["series"] == series]
        x, y, bars = ([row[key] for row in means] for key in ("calls", "value", "std"))
        axes.errorbar(x, y, bars, label=series, **LOOK[series].options)
    if not rows:
        raise MissingError(arms.given.key, f"{arms.given.text} has no arm {' or '.join(CHANGES)}")

    _over_calls(axes, sorted(calls), "distance to the torus")
    return rows


def _brains(axes: Any, panel: str, comparison: Comparison | MissingError) -> Rows:
    """Draw an FID over calls with its references, mean over runs or a single one with its
    interval over volumes.
    """
    if isinstance(comparison, MissingError):
        raise comparison
    keys = comparison.fids(FIDS[panel])
    if not keys:
        given = comparison.runs[0].given
        raise MissingError(given.key, f"{given.text} has no FID of a {FIDS[panel]} network")

    key = keys[0]
    rows: Rows = []
    for number, (series, points) in enumerate(comparison.series().items()):
        look = LOOK.get(series, LOOKS[(2 + number) % len(LOOKS)])
        rows += _series(axes, panel, comparison, points, key, look)
    rows += _references(axes, panel, comparison, key)

    ticks = sorted({point.calls for point in comparison.points})
    _over_calls(axes, ticks, _label(comparison, key, FIDS[panel]))
    return rows


def _series(
    axes: Any, panel: str, comparison: Comparison, points: list[Point], key: str, look: Look
) -> Rows:
    rows: Rows = []
    shown = [point for point in points if math.isfinite(point.mean(key))]
    for point in shown:
        base = {"panel": panel, "series": point.series, "calls": point.calls, "measure": key}
        base |= {"set": point.name, "calls_from": point.calls_from}
        for number, value in point.values(key).items():
            cited = comparison.runs[number].cited.cells
            rows.append(base | {"seed": number, "value": value} | cited)
        low, high = point.spread(key)
        mean = {"seed": "mean", "value": point.mean(key), "below": low, "above": high}
        values = point.values(key)
        rows.append(base | mean | {"n": len(values)} | comparison.cells(values))

    bars = [[s if math.isfinite(s) else 0 for s in end] for end in _ends(shown, key)]
    x, y = [point.calls for point in shown], [point.mean(key) for point in shown]
    if shown:
        axes.errorbar(x, y, bars, label=shown[0].series, **look.options)
    return rows


def _ends(points: list[Point], key: str) -> tuple[list[float], list[float]]:
    spreads = [point.spread(key) for point in points]
    return [s[0] for s in spreads], [s[1] for s in spreads]


def _references(axes: Any, panel: str, comparison: Comparison, key: str) -> Rows:
    """Draw the same FID of real people against others, and of the VAE's reconstructions."""
    record = next(iter(comparison.first.sets.values()))
    score = record.score(key)
    lines = {"real": ("real people", GREY, ":")}
    lines["reconstruction"] = ("VAE reconstructions", BLACK, "-.")

    rows: Rows = []
    for kind, (name, colour, line) in lines.items():
        beside = score.beside.get(kind) if score else None
        if beside is not None and math.isfinite(beside.mean):
            axes.axhline(beside.mean, color=colour, linestyle=line, linewidth=1, label=name)
            base = {"panel": panel, "series": name, "measure": key, "value": beside.mean}
            more = {"std": beside.std, "volumes": beside.n, "against": beside.reference}
            rows.append(base | more | comparison.runs[0].cited.cells)
    return rows


def _published(axes: Any, curve: Curve, cited: Cited) -> Rows:
    label = f"{curve.name}\n(published, another network)"
    axes.plot(curve.nfe, curve.fid, label=label, **LOOKS[3].options)
    _over_calls(axes, [5, 10, 20, 50, 100], curve.measure)
    axes.legend()
    base = {"panel": "d", "series": curve.name, "measure": curve.measure}
    more = {"reference": curve.cite, "where": curve.where, "read": curve.read}
    return [
        base | {"calls": calls, "value": fid} | more | cited.cells
        for calls, fid in zip(curve.nfe, curve.fid, strict=True)
    ]


def _over_calls(axes: Any, ticks: list[int], label: str) -> None:
    log_scale(axes.xaxis)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    log_scale(axes.yaxis)
    axes.set(xlabel=CALLS, ylabel=label)


def _label(comparison: Comparison, key: str, kind: str) -> str:
    """Return what an FID is of, and that its network is untrained where it is."""
    own = next((e for e in comparison.first.extractors if key.startswith(f"{e.key}/")), None)
    return f"FID, {kind.upper()}" + (" (untrained)" if own is not None and not own.trained else "")


def _spread_said(comparison: Comparison | MissingError) -> str:
    if isinstance(comparison, MissingError):
        return "(b, c) were not run."
    runs = len(comparison.runs)
    bars = (
        f"mean and standard deviation over {runs} trainings"
        if runs > 1
        else "one training each, bars are 95\\,\\% intervals over volumes"
    )

    n = next(iter(comparison.first.sets.values())).n
    people = comparison.first.reference.n
    return (
        f"(b, c) {n} volumes against {people} held-out people, {bars}; lines: real people "
        "against other people, and reconstructions of the VAE."
    )


def _caption(curve: Curve, brains: str) -> str:
    return (
        "Quality over the number of network calls. (a) Distance of samples to the torus in 256 "
        "dimensions, mean $\\pm$ standard deviation over seeds. "
        f"{brains} (d) Published values of MAISI-v2 \\cite{{{curve.cite}}}, {curve.where}: of CT, "
        "mean of three planes, with another feature network, so that they cannot be compared with "
        "(b) and (c)."
    )
