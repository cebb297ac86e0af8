"""Plots: one set of colours, one type size, and one way to draw and save."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.rcsetup import cycler

from neuromf.runtime.files import write_bytes

# Okabe and Ito's colours, which colour-blind readers can distinguish; black is for REFERENCE.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
BLUE, VERMILION = COLOURS[:2]
REFERENCE = "#000000"  # what others are compared with: real data, a known answer
GREY = "0.5"  # guides: thresholds, zero lines

TEXT, SMALL = 9, 8  # points
DPI = 150  # pages show a figure at its size in inches, so that type has the size given here
STYLE: dict[Any, Any] = {
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=COLOURS),
    "image.cmap": "gray",
    "image.interpolation": "nearest",
}


@contextlib.contextmanager
def subplots(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float], **options: Any
) -> Iterator[tuple[Figure, Any]]:
    """Yield a figure of `size` inches and its axes, as pyplot.subplots does. The style applies
    within the body, where everything is to be drawn.

    pyplot keeps no reference to the figure, so it need not be closed.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        yield figure, figure.subplots(rows, columns, **options)


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG with 150 pixels per inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI)
    return buffer.getvalue()


def save(path: Path, figure: Figure) -> Path:
    """Write a figure as a PNG, atomically, and return the path."""
    write_bytes(path, png(figure))
    return path


def colours(n: int) -> list[str]:
    """Return n colours, all different up to eight."""
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
