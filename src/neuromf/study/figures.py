"""The figures of a study: every seed a point, mean and interval of each group; the Pareto front of
FID and SSIM.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure

from neuromf.metrics.pareto import pareto_front
from neuromf.reporting import plots
from neuromf.study.collected import Collected, Known
from neuromf.study.groups import Summary

DIRECTIONS = {"lower": ", smaller is better", "higher": ", larger is better"}
SPREAD = 0.25  # of the points of a group, rows
FAR = 20.0  # times the lower quartile of all seeds: what diverged, and is drawn at the edge


def draw_measure(collected: Collected, measure: Known, rows: Sequence[Summary]) -> Figure:
    """Return a row for each group: seeds as points, mean, and its interval where there is one. A
    group with seeds far beyond all others is arrows at the right edge, so that the others stay
    apart.
    """
    own = [row for row in rows if row.measure == measure.name]
    end = _end([v for row in own for v in collected.of_group(measure.name, row.group).values()])
    with plots.subplots(size=(6.6, 1.1 + 0.36 * len(own))) as (figure, axes):
        for place, row in enumerate(own):
            values = list(collected.of_group(measure.name, row.group).values())
            middle = (len(values) - 1) / 2
            heights = [
                place - SPREAD * (i - middle) / max(len(values), 1) for i in range(len(values))
            ]
            if any(value > end for value in values):
                edge = axes.get_yaxis_transform()  # the right end of the axis is at 1
                axes.plot([1.0], [place], ">", color=plots.VERMILION, transform=edge, clip_on=False)
                continue
            axes.plot(values, heights, ".", color=plots.BLUE, alpha=0.7)
            if not row.n:
                continue
            axes.plot([row.mean], [place], "|", color=plots.REFERENCE, markersize=14)
            if math.isfinite(row.interval.low):
                axes.plot(row.interval, [place, place], color=plots.REFERENCE, linewidth=0.9)

        axes.set_yticks(range(len(own)), [row.group for row in own])
        axes.set(ylim=(len(own) - 0.4, -0.6))
        arrows = f" (arrows: beyond {end:.2g})" if math.isfinite(end) else ""
        said = f"{measure.label or measure.name}{DIRECTIONS.get(measure.better, '')}{arrows}"
        axes.set_xlabel(said)
    return figure


def _end(values: Sequence[float]) -> float:
    """Return where the axis of positive values ends: infinity where none lies far beyond."""
    if not values or min(values) <= 0:
        return math.inf
    far = FAR * sorted(values)[len(values) // 4]
    return far if max(values) > far else math.inf


def front_of(collected: Collected, rows: Sequence[Summary]) -> tuple[str, str, list[str]] | None:
    """Return the first FID and SSIM of the chosen measures, and the groups on the Pareto front of
    their means; None where one of both is not there.
    """
    names = [m.name for m in collected.measures]
    fid = next((name for name in names if name.rpartition("/")[2] == "fid"), None)
    ssim = next((name for name in names if name.rpartition("/")[2] == "ssim"), None)
    if fid is None or ssim is None:
        return None
    points = means(rows, fid, ssim)
    groups = list(points)
    return fid, ssim, [groups[i] for i in pareto_front(list(points.values()), (True, False))]


def means(rows: Sequence[Summary], one: str, other: str) -> dict[str, tuple[float, float]]:
    """Return the means of two measures of each group that has both."""
    of = {(row.group, row.measure): row.mean for row in rows if row.n}
    groups = dict.fromkeys(row.group for row in rows)
    return {g: (of[g, one], of[g, other]) for g in groups if {(g, one), (g, other)} <= of.keys()}


def draw_front(
    collected: Collected, rows: Sequence[Summary], fid: str, ssim: str, front: Sequence[str]
) -> Figure:
    """Return FID and SSIM of every seed, and the means of groups with their front."""
    points = means(rows, fid, ssim)
    with plots.subplots(size=(5.2, 3.6)) as (figure, axes):
        for group in points:
            x, y = (collected.of_group(name, group) for name in (fid, ssim))
            both = sorted(x.keys() & y.keys())
            axes.plot([x[s] for s in both], [y[s] for s in both], ".", color="0.7")

        ends = sorted(points[group] for group in front)
        axes.plot(*zip(*ends, strict=True), drawstyle="steps-post", color=plots.GREY, linewidth=0.8)
        for group, place in points.items():
            on = group in front
            axes.plot(*place, "o" if on else "x", color=plots.BLUE if on else plots.VERMILION)
            axes.annotate(group, place, (4, 4), textcoords="offset points", fontsize=plots.SMALL)
        axes.set(xlabel=f"{fid}, smaller is better", ylabel=f"{ssim}, larger is better")
        axes.margins(x=0.25)
    return figure
