"""How the paper's figures look: serif type of 10 and 8 points, Okabe and Ito's colours, markers
and lines that differ without colour, and fonts that are embedded.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from neuromf.reporting.plots import COLOURS
from neuromf.runtime.files import write_bytes

WIDE, NARROW = 7.0, 3.5  # inches: two columns of a page, and one
DPI = 300
TEXT, SMALL = 10, 8  # points
BLUE, VERMILION, GREEN, PINK, ORANGE, SKY = COLOURS[:6]
BLACK, GREY = "#000000", "0.45"
STYLE: dict[Any, Any] = {
    "font.family": "serif",
    "font.serif": ["STIXGeneral", "DejaVu Serif"],
    "mathtext.fontset": "stix",
    "font.size": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "errorbar.capsize": 2,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "svg.fonttype": "none",
}


class Look(NamedTuple):
    """Colour, marker and line of a series: each alone tells it from the others."""

    colour: str
    marker: str
    line: str

    @property
    def options(self) -> dict[str, Any]:
        """The options of matplotlib's plot and errorbar."""
        return {"color": self.colour, "marker": self.marker, "linestyle": self.line}


LOOKS = (
    Look(BLUE, "o", "-"),
    Look(VERMILION, "s", "--"),
    Look(GREEN, "^", "-."),
    Look(PINK, "D", ":"),
    Look(ORANGE, "v", (0, (5, 1, 1, 1, 1, 1))),  # type: ignore[arg-type]
    Look(SKY, "P", (0, (1, 1))),  # type: ignore[arg-type]
)


@contextlib.contextmanager
def page(width: float, height: float) -> Iterator[Figure]:
    """Yield a figure of that many inches. The style applies within the body, where everything is
    to be drawn.
    """
    with matplotlib.rc_context(STYLE):
        yield Figure(figsize=(width, height), layout="constrained", facecolor="white")


def narrow_gaps(figure: Figure) -> None:
    """Leave little room between the axes of a figure of pictures."""
    figure.set_layout_engine("constrained", w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.01)


def save(folder: Path, name: str, figure: Figure) -> list[Path]:
    """Write a figure as PDF, fonts embedded, and as PNG of 300 dpi, both of its exact size; return
    the paths. Two runs write the same bytes: there is no date in them.
    """
    written = []
    undated = {"pdf": {"CreationDate": None, "ModDate": None}, "png": {"Software": None}}
    with matplotlib.rc_context(STYLE):
        for kind, metadata in undated.items():
            content = io.BytesIO()
            figure.savefig(content, format=kind, dpi=DPI, metadata=metadata)
            written.append(folder / f"{name}.{kind}")
            write_bytes(written[-1], content.getvalue())
    return written


def log_scale(axis: Any) -> None:
    """Make an axis logarithmic with plain numbers, 0.1 and not a power of ten: at 1, 2 and 5 where
    the data, which are to be drawn before, span less than two decades.
    """
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    low, high = axis.get_view_interval()
    near = math.log10(high / low) < 2
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if near else (1.0,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator() if near else LogLocator(subs=tuple(range(2, 10))))
    axis.set_minor_formatter(NullFormatter())


def shared_legend(figure: Figure, panels: Iterable[Any]) -> None:
    """Put one legend of all panels above the figure, lines after what has error bars."""
    found: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    order = sorted(found, key=lambda label: not isinstance(found[label], ErrorbarContainer))
    if order:
        handles = [found[label] for label in order]
        figure.legend(handles, order, loc="outside upper center", ncols=len(order))


def letter(axes: Any, text: str) -> None:
    """Write the letter of a panel at its upper left, outside of the axes."""
    axes.annotate(
        f"({text})",
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(-2, 4),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=TEXT,
    )
