"""What is not there: why, and the command that would make it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

LETTERS = 0.062  # inches that a letter of a note takes
NOTE = 7  # points
COMMANDS = {
    "toy": "neuromf toy preset=quick out=runs/torus",
    "compare": "neuromf compare sets=[meanflow-1,flow-1,flow-32] reference=volumes",
    "evaluation": "neuromf evaluate samples=samples reference=volumes",
    "studies.torus": "neuromf sweep studies/torus.yaml, then neuromf tabulate",
    "studies.torus_training": "neuromf sweep studies/torus-training.yaml, then neuromf tabulate",
    "studies.blobs": "neuromf sweep studies/blobs.yaml, then neuromf tabulate",
    "studies.brains": "neuromf sweep studies/brains.yaml, then neuromf tabulate",
    "samples": "neuromf generate model=embedded n=2 out=samples",
    "volumes": "neuromf prepare input=scans out=volumes",
    "pairs": "neuromf generate model=runs/pairs n=12 out=pairs",
    "pairs_evaluation": "neuromf evaluate samples=pairs reference=volumes",
    "usefulness": "neuromf usefulness real=volumes generated=pairs simulated=copies",
    "benchmarks": "make bench",
}
NOT_GIVEN = "no run is given"


class MissingError(ValueError):
    """A source that is not given or cannot be used: its key, and why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key, self.why = key, why


class DifferentDataError(ValueError):
    """Runs that cannot stand in one comparison, because their data differ."""


@dataclass(frozen=True)
class Missing:
    """A part of a figure or table that is not there."""

    part: str  # Figure 4b, for example
    key: str
    why: str

    @property
    def command(self) -> str:
        """The command whose output is missing."""
        return COMMANDS[self.key]

    @property
    def text(self) -> str:
        """What stands in its place."""
        if self.why == NOT_GIVEN:
            return f"not run: {self.command}"
        return f"missing: {self.why}. Made by: {self.command}"


def of_error(part: str, error: MissingError) -> Missing:
    """Return the part that an error leaves out."""
    return Missing(part, error.key, error.why)


def draw_missing(axes: Any, missing: Missing) -> None:
    """Write into axes, without their frame's ticks, what is missing and how it is made."""
    figure = axes.get_figure()
    place = axes.get_subplotspec().get_position(figure) if axes.get_subplotspec() else None
    wide = (place.width if place else 1.0) * figure.get_size_inches()[0]
    lines = textwrap.fill(missing.text, max(16, int(0.86 * wide / LETTERS)))

    axes.set(xticks=[], yticks=[], facecolor="0.965")
    for spine in axes.spines.values():
        spine.set(visible=True, linestyle=(0, (4, 3)), color="0.6", linewidth=0.8)
    centre = {"ha": "center", "va": "center", "transform": axes.transAxes}
    plain = {"fontsize": NOTE, "color": "0.25", "style": "italic", "parse_math": False}
    axes.text(0.5, 0.5, lines, **plain, **centre)
