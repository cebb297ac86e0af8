"""Figure 2: the method where the answer is known. Losses, and samples on the torus at one and at
several network calls.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from neuromf.paper.booktabs import tex
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import Given, Sources, finished_run, reading
from neuromf.paper.style import BLUE, LOOKS, VERMILION, WIDE, letter, log_scale, page
from neuromf.runtime.records import read_json_object

HEIGHT = 3.4
# of the torus's circles, as in neuromf.torus.geometry, whose import takes seconds (Lightning)
RADIUS = 1 / math.sqrt(2)
SHOWN = "d256-x"  # the arm whose samples are shown, if they are there
POINTS = 1000  # of samples that are drawn
ARRAY = re.compile(r"coordinates_(\d+)")
PIS = ([-math.pi, 0, math.pi], ["$-\\pi$", "0", "$\\pi$"])
Samples = dict[int, NDArray[np.float32]]  # coordinates (N, 4) by number of calls


def draw(sources: Sources) -> Drawn:
    """Return the figure: losses at the left, samples in two planes at the right."""
    rows: Rows = []
    missing: list[Missing] = []
    arm, calls, shown, left_out = "", list[int](), 0, list[str]()
    with page(WIDE, HEIGHT) as figure:
        panels = figure.subplot_mosaic([["a", "b", "c"], ["a", "d", "e"]], width_ratios=[1.7, 1, 1])
        try:
            given = sources.one("toy")
            finished_run(given, "toy")
            with reading(given):
                arms = list(read_json_object(given.path / "metrics.json"))
            left_out = arms[len(LOOKS) :]
            rows += _losses(panels["a"], sources, given, arms[: len(LOOKS)])
            arm, samples, path = _samples(given)
            cells = sources.cite(given, path).cells
            calls = [min(samples), max(samples)]
            shown = min(POINTS, *(len(samples[number]) for number in calls))
            for names, number in zip(("bc", "de"), calls, strict=True):
                rows += [row | cells for row in _planes(panels, names, number, samples[number])]

        except MissingError as error:
            empty = [name for name in panels if not any(row["panel"] == name for row in rows)]
            for name in empty:
                missing.append(of_error(f"Figure 2{name}", error))
                draw_missing(panels[name], missing[-1])
        for name, axes in panels.items():
            letter(axes, name)
    return Drawn(2, "torus", figure, _caption(arm, calls, shown, left_out), rows, missing)


def _losses(axes: Any, sources: Sources, given: Given, arms: list[str]) -> Rows:
    """Draw the raw loss of arms, no more than there are looks, over epochs."""
    rows: Rows = []
    with reading(given):
        for name, look in zip(arms, LOOKS, strict=False):
            path = given.path / "arms" / name / "metrics.json"
            losses = [float(value) for value in read_json_object(path)["loss"]]
            cells = sources.cite(given, path).cells
            base = {"panel": "a", "series": name, "measure": "raw loss"}
            rows += [base | {"epoch": i, "value": v} | cells for i, v in enumerate(losses, 1)]
            options = {"color": look.colour, "linestyle": look.line, "label": name}
            every = max(1, len(losses) // 5)
            marks = {"marker": look.marker, "markevery": every, "markersize": 3.5}
            axes.plot(range(1, len(losses) + 1), losses, **options, **marks)

    axes.set(xlabel="epoch", ylabel="raw loss")
    log_scale(axes.xaxis)
    log_scale(axes.yaxis)
    axes.legend()
    return rows


def _samples(given: Given) -> tuple[str, Samples, Path]:
    """Return an arm, its samples by number of calls, and their file."""
    found = sorted((given.path / "arms").glob("*/samples.safetensors"))
    if not found:
        raise MissingError(given.key, f"{given.text} holds no samples of an arm")
    path = next((p for p in found if p.parent.name == SHOWN), found[0])
    with reading(given):
        arrays = {int(m[1]): a for k, a in load_file(path).items() if (m := ARRAY.fullmatch(k))}
    if len(arrays) < 2:
        raise MissingError(given.key, f"{path.name} of {path.parent.name} has no two sets of calls")
    return path.parent.name, arrays, path


def _planes(panels: Any, names: str, calls: int, coordinates: NDArray[np.float32]) -> Rows:
    """Draw samples on the first circle of the torus, and by their two angles."""
    points = coordinates[:POINTS].astype(float)
    angles = np.stack([np.arctan2(points[:, 2 * k + 1], points[:, 2 * k]) for k in (0, 1)], 1)
    dots = {"color": BLUE, "markersize": 1.9, "alpha": 0.55, "markeredgewidth": 0}
    circle, plane = panels[names[0]], panels[names[1]]

    turn = np.linspace(0, 2 * math.pi, 200)
    circle.plot(points[:, 0], points[:, 1], ".", **dots)
    circle.plot(RADIUS * np.cos(turn), RADIUS * np.sin(turn), color=VERMILION, linewidth=0.8)
    circle.set(aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=[-1, 0, 1])
    circle.set(xlabel="$\\phi_1$", ylabel=f"{_in_calls(calls)}\n$\\phi_2$", yticks=[-1, 0, 1])
    plane.plot(angles[:, 0], angles[:, 1], ".", **dots)
    plane.set(aspect="equal", xlim=(-math.pi, math.pi), ylim=(-math.pi, math.pi))
    plane.set(xlabel="$\\theta_1$", ylabel="$\\theta_2$")
    plane.set_xticks(*PIS)
    plane.set_yticks(*PIS)

    base = {"series": "samples", "calls": calls}
    rows: Rows = []
    for number, (point, angle) in enumerate(zip(points.tolist(), angles.tolist(), strict=True)):
        own = base | {"sample": number}
        rows.append({"panel": names[0]} | own | {"x": point[0], "y": point[1]})
        rows.append({"panel": names[1]} | own | {"x": angle[0], "y": angle[1]})
    return rows


def _in_calls(calls: int) -> str:
    return f"{calls} call{'s' * (calls > 1)}"


def _caption(arm: str, calls: list[int], shown: int, left_out: list[str]) -> str:
    said = "(b) to (e) were not run."
    if arm:
        one, many = (_in_calls(number) for number in calls)
        said = (
            f"{shown} samples of the arm {tex(arm)} from the same noise after {one} (b, c) and "
            f"{many} (d, e): on the first circle of the torus (line: data), and by both angles, "
            "which are uniform in the data."
        )
    without = f" Not drawn: {', '.join(map(tex, left_out))}." if left_out else ""
    return (
        "The method on a torus, one seed. (a) Raw loss over epochs: r4 is the torus in four "
        f"dimensions, d256 in 256; x and u are what the network predicts.{without} {said}"
    )
