"""The toy study's figures, its table, and the page that shows them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from neuromf.reporting import plots
from neuromf.reporting.page import render
from neuromf.reporting.plots import BLUE, GREY, SMALL, VERMILION
from neuromf.runtime.files import write_text
from neuromf.torus.geometry import RADIUS

if TYPE_CHECKING:
    from neuromf.torus.arm import Arm, Result

PIS = ([-math.pi, 0, math.pi], ["-π", "0", "π"])  # ticks of angles and their labels


def columns(metrics: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the headings of the figures that the table shows, by their names."""
    distances = {f"distance_{c}": f"distance, {_in_calls(c)}" for c in _calls(metrics)}
    return distances | {
        "ks_p_angle_1": "KS p, θ₁",
        "ks_p_angle_2": "KS p, θ₂",
        "composition_residual": "composition residual",
        "energy_angles_1": "energy, angles",
        "energy_points_1": "energy, points",
        "seconds": "seconds",
    }


def table(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures of all arms as lines of text; one that an arm lacks is a dash."""
    shown = columns(metrics)
    head = f"{'arm':16}" + "".join(f"{title:>22}" for title in shown.values())
    rows = [
        f"{name:16}" + "".join(f"{figure(of_arm, key, '.4g'):>22}" for key in shown)
        for name, of_arm in metrics.items()
    ]
    return "\n".join([head, *rows])


def figure(metrics: Mapping[str, Any], key: str, form: str) -> str:
    """Return a figure as text, a dash where there is none."""
    return format(metrics[key], form) if key in metrics else "–"


def write(out: Path, arms: Mapping[str, Arm], results: Mapping[str, Result]) -> None:
    """Write figures/*.png and index.html, which holds them all, into `out`."""
    (out / "figures").mkdir(exist_ok=True)
    figures = {"loss": _losses(results), "calls": _distances(results)}
    for name, result in results.items():
        figures[f"{name}-circles"] = _samples(result)
        figures[f"{name}-angles"] = _angles(result)
        if "volumes" in result.arrays:
            figures[f"{name}-volumes"] = _volumes(arms[name], result)

    images = {
        name: plots.save(out / "figures" / f"{name}.png", drawn) for name, drawn in figures.items()
    }
    page = render(
        "neuromf.torus",
        "page.html",
        title="One step on a torus",
        run=out,
        arms=arms,
        results=results,
        images=images,
        columns=columns({name: result.metrics for name, result in results.items()}),
        figure=figure,
    )
    write_text(out / "index.html", page)


def _losses(results: Mapping[str, Result]) -> Figure:
    with plots.subplots(size=(7, 3)) as (drawn, axes):
        for name, result in results.items():
            axes.plot(range(1, len(result.loss) + 1), result.loss, label=name)
        axes.set(xlabel="epoch", ylabel="raw loss", xscale="log", yscale="log")
        axes.legend()
    return drawn


def _distances(results: Mapping[str, Result]) -> Figure:
    metrics = {name: result.metrics for name, result in results.items()}
    calls = _calls(metrics)
    width = 0.8 / len(calls)
    with plots.subplots(size=(7, 2.8)) as (drawn, axes):
        for k, (c, colour) in enumerate(zip(calls, plots.colours(len(calls)), strict=True)):
            values = [m.get(f"distance_{c}", math.nan) for m in metrics.values()]
            places = [p + (k - (len(calls) - 1) / 2) * width for p in range(len(values))]
            bars = axes.bar(places, values, 0.95 * width, color=colour, label=_in_calls(c))
            if len(calls) * len(results) <= 16:  # more of them would cover each other
                axes.bar_label(bars, fmt="%.2g", fontsize=SMALL)

        axes.axhline(0.1, color=GREY, linewidth=0.8, linestyle="--")
        axes.set(yscale="log", ylabel="mean distance to the data")
        axes.set_xticks(range(len(results)), list(results))
        drawn.legend(loc="outside right upper")
    return drawn


def _samples(result: Result) -> Figure:
    """Return samples at the fewest and at the most calls, on the circles of the torus or, of a
    manifold that is none, by their angles.
    """
    shown = _calls({"": result.metrics})
    rows = (shown[0], shown[-1])
    if "coordinates_1" in result.arrays:
        return _circles({c: result.arrays[f"coordinates_{c}"] for c in rows})
    return _planes({c: result.arrays[f"angles_{c}"] for c in rows})


def _circles(coordinates: Mapping[int, Tensor]) -> Figure:
    with plots.subplots(len(coordinates), 2, size=(4.6, 4.6), sharex=True, sharey=True) as (
        drawn,
        grid,
    ):
        for row, (calls, values) in zip(grid, coordinates.items(), strict=True):
            for k, axes in enumerate(row):
                axes.add_patch(Circle((0, 0), RADIUS, fill=False, color=VERMILION, linewidth=1))
                points = values[:2000, 2 * k : 2 * k + 2].numpy().T
                axes.plot(*points, ".", markersize=1.2, color=BLUE, alpha=0.4)
                axes.set(aspect="equal", xlim=(-1, 1), ylim=(-1, 1))
                axes.set_title(f"circle {k + 1}, {_in_calls(calls)}")
    return drawn


def _planes(angles: Mapping[int, Tensor]) -> Figure:
    with plots.subplots(1, len(angles), size=(4.6, 2.6), sharey=True, squeeze=False) as (
        drawn,
        grid,
    ):
        for axes, (calls, values) in zip(grid[0], angles.items(), strict=True):
            axes.plot(*values[:2000].numpy().T, ".", markersize=2, color=BLUE, alpha=0.5)
            axes.set(aspect="equal", xlim=(-math.pi, math.pi), ylim=(-math.pi, math.pi))
            axes.set(xlabel="θ₁", title=_in_calls(calls))
            axes.set_xticks(*PIS)
            axes.set_yticks(*PIS)
        grid[0, 0].set_ylabel("θ₂")
    return drawn


def _angles(result: Result) -> Figure:
    if "angles_1" in result.arrays:
        angles = result.arrays["angles_1"].T.numpy()
    else:
        pairs = result.arrays["coordinates_1"].unflatten(1, (2, 2))
        angles = pairs[..., 1].atan2(pairs[..., 0]).T.numpy()

    with plots.subplots(1, 2, size=(4.6, 2), sharey=True) as (drawn, grid):
        for k, (axes, values) in enumerate(zip(grid, angles, strict=True), start=1):
            axes.hist(values, bins=36, range=(-math.pi, math.pi), color=BLUE, density=True)
            axes.axhline(1 / (2 * math.pi), color=VERMILION, linewidth=1)  # the uniform density
            axes.set_xlabel(
                f"θ{'₀₁₂'[k]}, KS p = {figure(result.metrics, f'ks_p_angle_{k}', '.2g')}"
            )
            axes.set_xticks(*PIS)
    return drawn


def _volumes(arm: Arm, result: Result) -> Figure:
    """Return two slices each of volumes drawn in one call, and of the nearest data."""
    slices = [arm.manifold().slices(result.arrays[name]) for name in ("volumes", "nearest")]
    drawn_ones, nearest = (s.flatten(0, 1).numpy() for s in slices if s is not None)
    low, high = float(np.nanmin(nearest)), float(np.nanmax(nearest))

    with plots.subplots(2, len(nearest), size=(7, 2.2)) as (drawn, grid):
        rows = (("one call", drawn_ones), ("nearest\ndata", nearest))
        for row, (name, planes) in zip(grid, rows, strict=True):
            for axes, plane in zip(row, planes, strict=True):
                axes.imshow(plane, vmin=low, vmax=high)
                axes.set(xticks=[], yticks=[])
            row[0].set_ylabel(name, fontsize=SMALL)
    return drawn


def _calls(metrics: Mapping[str, Mapping[str, Any]]) -> list[int]:
    """Return the numbers of calls that any of the arms was sampled at."""
    found = (re.fullmatch(r"distance_(\d+)", key) for of_arm in metrics.values() for key in of_arm)
    return sorted({int(match[1]) for match in found if match})


def _in_calls(calls: int) -> str:
    return f"{calls} call{'s' * (calls > 1)}"
