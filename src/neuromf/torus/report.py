"""The toy study's figures, its table, and the page that shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.patches import Circle

from neuromf.reporting import plots
from neuromf.reporting.page import render
from neuromf.reporting.plots import BLUE, GREY, SMALL, VERMILION
from neuromf.runtime.files import write_text
from neuromf.torus.geometry import RADIUS

if TYPE_CHECKING:
    from neuromf.torus.arm import Arm, Result

COLUMNS = {  # metric -> heading
    "distance_1": "distance, 1 call",
    "distance_5": "distance, 5 calls",
    "ks_p_angle_1": "KS p, θ₁",
    "ks_p_angle_2": "KS p, θ₂",
    "composition_residual": "composition residual",
    "seconds": "seconds",
}


def table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of all arms as lines of text."""
    head = f"{'arm':16}" + "".join(f"{title:>22}" for title in COLUMNS.values())
    return "\n".join(
        [head, *(f"{n:16}" + "".join(f"{m[c]:22.4g}" for c in COLUMNS) for n, m in metrics.items())]
    )


def write(out: Path, arms: Mapping[str, Arm], results: Mapping[str, Result]) -> None:
    """Write figures/*.png and index.html, which holds them all, into `out`."""
    (out / "figures").mkdir(exist_ok=True)
    figures = {"loss": _losses(results), "calls": _distances(results)}
    for name, result in results.items():
        figures[f"{name}-circles"] = _circles(result)
        figures[f"{name}-angles"] = _angles(result)
        if "volumes" in result.arrays:
            figures[f"{name}-volumes"] = _volumes(result)

    images = {
        name: plots.save(out / "figures" / f"{name}.png", figure)
        for name, figure in figures.items()
    }
    page = render(
        "neuromf.torus",
        "page.html",
        title="One step on a torus",
        run=out,
        arms=arms,
        results=results,
        images=images,
        columns=COLUMNS,
    )
    write_text(out / "index.html", page)


def _losses(results: Mapping[str, Result]) -> Figure:
    with plots.subplots(size=(7, 3)) as (figure, axes):
        for name, result in results.items():
            axes.plot(range(1, len(result.loss) + 1), result.loss, label=name)
        axes.set(xlabel="epoch", ylabel="raw loss", xscale="log", yscale="log")
        axes.legend()
    return figure


def _distances(results: Mapping[str, Result]) -> Figure:
    positions = range(len(results))
    with plots.subplots(size=(7, 2.8)) as (figure, axes):
        for shift, calls, colour in ((-0.2, 1, BLUE), (0.2, 5, VERMILION)):
            values = [result.metrics[f"distance_{calls}"] for result in results.values()]
            places = [p + shift for p in positions]
            bars = axes.bar(places, values, 0.38, color=colour, label=_in_calls(calls))
            axes.bar_label(bars, fmt="%.2g", fontsize=SMALL)

        axes.axhline(0.1, color=GREY, linewidth=0.8, linestyle="--")
        axes.set(yscale="log", ylabel="mean distance to the torus")
        axes.set_xticks(list(positions), list(results))
        axes.legend()
    return figure


def _circles(result: Result) -> Figure:
    with plots.subplots(2, 2, size=(4.6, 4.6), sharex=True, sharey=True) as (figure, grid):
        for row, calls in zip(grid, (1, 5), strict=True):
            coordinates = result.arrays[f"coordinates_{calls}"].numpy()[:2000]
            for k, axes in enumerate(row):
                axes.add_patch(Circle((0, 0), RADIUS, fill=False, color=VERMILION, linewidth=1))
                points = coordinates[:, 2 * k : 2 * k + 2].T
                axes.plot(*points, ".", markersize=1.2, color=BLUE, alpha=0.4)
                axes.set(aspect="equal", xlim=(-1, 1), ylim=(-1, 1))
                axes.set_title(f"circle {k + 1}, {_in_calls(calls)}")
    return figure


def _angles(result: Result) -> Figure:
    pairs = result.arrays["coordinates_1"].unflatten(1, (2, 2))
    angles = pairs[..., 1].atan2(pairs[..., 0]).T.numpy()
    with plots.subplots(1, 2, size=(4.6, 2), sharey=True) as (figure, grid):
        for k, (axes, values) in enumerate(zip(grid, angles, strict=True), start=1):
            axes.hist(values, bins=36, range=(-math.pi, math.pi), color=BLUE, density=True)
            axes.axhline(1 / (2 * math.pi), color=VERMILION, linewidth=1)  # the uniform density
            axes.set_xlabel(f"θ{'₀₁₂'[k]}, KS p = {result.metrics[f'ks_p_angle_{k}']:.2g}")
            axes.set_xticks([-math.pi, 0, math.pi], ["-π", "0", "π"])
    return figure


def _volumes(result: Result) -> Figure:
    shown = 2 * len(result.arrays["volumes"])
    with plots.subplots(2, shown, size=(7, 2.2)) as (figure, grid):
        rows = (("one call", "volumes"), ("nearest\non torus", "nearest"))
        for row, (name, volumes) in zip(grid, rows, strict=True):
            for column, axes in enumerate(row):
                plane = result.arrays[volumes][column // 2, 2 * (column % 2), :, :, 0].numpy()
                axes.imshow(plane, vmin=-1.5, vmax=1.5)
                axes.set(xticks=[], yticks=[])
            row[0].set_ylabel(name, fontsize=SMALL)
    return figure


def _in_calls(calls: int) -> str:
    return f"{calls} call{'s' * (calls > 1)}"
