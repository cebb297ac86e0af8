"""The toy study's figures, its table, and the page that shows them."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
from jinja2 import Environment, PackageLoader, select_autoescape

from neuromf.runtime.files import atomic, write_text
from neuromf.torus.geometry import RADIUS

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Circle

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
BLUE, ORANGE = "#0072B2", "#D55E00"  # safe for colour-blind readers


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
        name: _save(out / "figures" / f"{name}.png", figure) for name, figure in figures.items()
    }
    pages = Environment(loader=PackageLoader("neuromf.torus", "."), autoescape=select_autoescape())
    page = pages.get_template("page.html").render(
        arms=arms, results=results, images=images, columns=COLUMNS
    )
    write_text(out / "index.html", page)


def _losses(results: Mapping[str, Result]) -> Figure:
    figure, axes = plt.subplots(figsize=(7, 3.2))
    for name, result in results.items():
        axes.plot(range(1, len(result.loss) + 1), result.loss, label=name)
    axes.set(xlabel="epoch", ylabel="raw loss", xscale="log", yscale="log")
    axes.legend(frameon=False, fontsize=8)
    return figure


def _distances(results: Mapping[str, Result]) -> Figure:
    figure, axes = plt.subplots(figsize=(7, 2.8))
    positions = range(len(results))
    for shift, calls, colour in ((-0.2, 1, BLUE), (0.2, 5, ORANGE)):
        values = [result.metrics[f"distance_{calls}"] for result in results.values()]
        bars = axes.bar(
            [p + shift for p in positions],
            values,
            0.38,
            color=colour,
            label=f"{calls} call{'s' * (calls > 1)}",
        )
        axes.bar_label(bars, fmt="%.2g", fontsize=7)
    axes.axhline(0.1, color="0.5", linewidth=0.8, linestyle="--")
    axes.set(
        yscale="log",
        ylabel="mean distance to the torus",
        xticks=list(positions),
        xticklabels=list(results),
    )
    axes.legend(frameon=False, fontsize=8)
    return figure


def _circles(result: Result) -> Figure:
    figure, grid = plt.subplots(2, 2, figsize=(5, 5), sharex=True, sharey=True)
    for row, calls in zip(grid, (1, 5), strict=True):
        coordinates = result.arrays[f"coordinates_{calls}"].numpy()[:2000]
        for k, axes in enumerate(row):
            axes.add_patch(Circle((0, 0), RADIUS, fill=False, color=ORANGE, linewidth=1))
            axes.plot(
                *coordinates[:, 2 * k : 2 * k + 2].T,
                ".",
                markersize=1.2,
                color=BLUE,
                alpha=0.4,
                rasterized=True,
            )
            axes.set(
                aspect="equal",
                xlim=(-1, 1),
                ylim=(-1, 1),
                title=f"circle {k + 1}, {calls} call{'s' * (calls > 1)}",
            )
            axes.title.set_fontsize(9)
    return figure


def _angles(result: Result) -> Figure:
    figure, grid = plt.subplots(1, 2, figsize=(5, 2), sharey=True)
    pairs = result.arrays["coordinates_1"].unflatten(1, (2, 2))
    angles = pairs[..., 1].atan2(pairs[..., 0]).T.numpy()
    for k, (axes, values) in enumerate(zip(grid, angles, strict=True), start=1):
        axes.hist(values, bins=36, range=(-math.pi, math.pi), color=BLUE, density=True)
        axes.axhline(1 / (2 * math.pi), color=ORANGE, linewidth=1)
        axes.set(
            xlabel=f"θ{'₀₁₂'[k]}, KS p = {result.metrics[f'ks_p_angle_{k}']:.2g}",
            xticks=[-math.pi, 0, math.pi],
            xticklabels=["-π", "0", "π"],
        )
    return figure


def _volumes(result: Result) -> Figure:
    figure, grid = plt.subplots(2, 2 * len(result.arrays["volumes"]), figsize=(8, 2.3))
    for row, (name, volumes) in zip(
        grid, (("one call", "volumes"), ("nearest on torus", "nearest")), strict=True
    ):
        for column, axes in enumerate(row):
            plane = result.arrays[volumes][column // 2, 2 * (column % 2), :, :, 0].numpy()
            axes.imshow(plane, cmap="gray", vmin=-1.5, vmax=1.5)
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize=8)
    return figure


def _save(path: Path, figure: Figure) -> str:
    """Write a PNG and return it as a data URI."""
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight")
    plt.close(figure)
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
