"""A network drawn as a U: a box for each part, coarser levels lower, wider boxes for more
parameters.
"""

from __future__ import annotations

import itertools
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from neuromf.report.network import Network, Part
from neuromf.reporting.plots import BLUE, COLOURS, GREY, subplots

WIDE = 9.0  # inches
HEIGHT = 0.62  # of a box, in levels
WIDEST, NARROWEST = 2.9, 1.5  # of a box; the drawing is 9 wide
LEFT, MIDDLE, RIGHT = 1.75, 4.5, 7.25  # centres of the boxes
DOTTED = {"arrowstyle": "->", "color": GREY, "ls": ":"}
Places = dict[str, tuple[float, float]]


def draw_network(network: Network) -> Figure:
    """Return the drawing. Colour: vermilion has attention, blue has none."""
    parts = [part for part in network.parts if part.side != "beside"]
    most = max(part.parameters for part in parts)
    depth = max(part.level for part in parts)
    with subplots(size=(WIDE, 0.85 * (depth + 2.4))) as (figure, axes):
        places = {part.name: _place(part, depth) for part in parts}
        named = {part.name: part for part in parts}
        for part in parts:
            _box(axes, part, places[part.name], most)
        for before, after in itertools.pairwise(parts):
            if after.name != "v head":
                _arrow(axes, places[before.name], places[after.name])
        for part in parts:
            if part.name.startswith("down"):
                other = named[part.name.replace("down", "up")]
                start, end = _right_edge(part, places, most), _left_edge(other, places, most)
                axes.annotate("", end, start, arrowprops=DOTTED)

        axes.set_xlim(0, 9)
        axes.set_ylim(-depth - 1.6, 1.55)
        axes.axis("off")
    return figure


def told(part: Part) -> str:
    """Return what stands in the box of a part."""
    lines = f"{part.channels} channels" + (
        f" · {'×'.join(map(str, part.size))}" if part.size else ""
    )
    kept = f" · {megabytes(part.kept)}" if part.kept else ""
    return f"{part.name}\n{lines}\n{many(part.parameters)}{kept}"


def many(parameters: int) -> str:
    """Return a number of parameters as a reader wants it."""
    return f"{parameters / 1e6:.2f} M" if parameters >= 1e5 else f"{parameters / 1e3:.1f} k"


def megabytes(size: int) -> str:
    """Return bytes as a reader wants them."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def _place(part: Part, depth: int) -> tuple[float, float]:
    if part.name in ("in", "out"):
        return (LEFT if part.name == "in" else RIGHT), 1.0
    if part.name == "v head":
        return MIDDLE, 1.0
    if part.side == "middle":
        return MIDDLE, -depth - 1.0
    return (LEFT if part.side == "down" else RIGHT), -float(part.level)


def _box(axes: Any, part: Part, place: tuple[float, float], most: int) -> None:
    x, y = place
    wide = _wide(part, most)
    colour = COLOURS[1] if part.attention else BLUE
    corner = (x - wide / 2, y - HEIGHT / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            wide,
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=colour,
            alpha=0.16,
            edgecolor=colour,
            lw=1,
        )
    )
    axes.text(x, y, told(part), ha="center", va="center", fontsize=6.8, linespacing=1.25)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    down = end[1] < start[1]
    tip = end[1] + (HEIGHT / 2 if down else -HEIGHT / 2)
    tail = start[1] - (HEIGHT / 2 if down else -HEIGHT / 2)
    axes.annotate(
        "", (end[0], tip), (start[0], tail), arrowprops={"arrowstyle": "->", "color": GREY}
    )


def _left_edge(part: Part, places: Places, most: int) -> tuple[float, float]:
    x, y = places[part.name]
    return x - _wide(part, most) / 2 - 0.05, y


def _right_edge(part: Part, places: Places, most: int) -> tuple[float, float]:
    x, y = places[part.name]
    return x + _wide(part, most) / 2 + 0.05, y


def _wide(part: Part, most: int) -> float:
    return NARROWEST + (WIDEST - NARROWEST) * float(part.parameters / most) ** 0.5
