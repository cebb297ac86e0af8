"""Figure 6: what the network predicts, x or u, and the closed-form part of the velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from neuromf.paper.arms_table import Arms, Group, read_arms
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.exponents import DEFAULT, exponent
from neuromf.paper.exponents_figure import seed_rows, seeds_said
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import Sources
from neuromf.paper.style import LOOKS, WIDE, letter, log_scale, page, shared_legend

APART = 0.12  # of the points of two measures beside each other
FLOW = "flow"


@dataclass(frozen=True)
class Space:
    """A study and what of it is shown."""

    key: str
    name: str
    axis: str  # that names the predictions
    labels: dict[str, str]  # in order: value of the axis -> as shown
    measures: dict[str, str]  # as shown -> end of a measure's name
    unit: str


ARMS = {"x": "x", "u": "u", "skip": "skip", "gaussian": "Gauss."}
SPACES = {
    "a": Space(
        "studies.torus",
        "torus, 256 dimensions",
        "prediction",
        {label: ARMS[label] for label in ("x", "u", "skip")},
        {"1 call": "distance_1", "5 calls": "distance_5"},
        "distance to the torus",
    ),
    "b": Space(
        "studies.blobs",
        "blobs, 16³",
        "arm",
        ARMS | {"flow-x": "flow, x", "flow-gaussian": "flow, Gauss."},
        {"1 call": "distance_1", "5 calls": "distance_5"},
        "distance to the blobs",
    ),
    "c": Space(
        "studies.brains",
        "brains, 2 mm",
        "arm",
        ARMS | {"rectified-flow": "rect. flow"},
        {"1 call": "random-3d/fid"},
        "FID, 3D (untrained)",
    ),
}


def draw(sources: Sources) -> Drawn:
    """Return the figure: a panel for each space."""
    rows: Rows = []
    missing: list[Missing] = []
    with page(WIDE, 2.7) as figure:
        panels = dict(zip("abc", figure.subplots(1, 3), strict=True))
        for name, axes in panels.items():
            try:
                rows += _panel(axes, name, SPACES[name], read_arms(sources, SPACES[name].key))
            except MissingError as error:
                missing.append(of_error(f"Figure 6{name}", error))
                draw_missing(axes, missing[-1])
            letter(axes, name)

        shared_legend(figure, panels.values())
    return Drawn(6, "prediction", figure, _caption(rows), rows, missing)


def chosen(arms: Arms, space: Space, measure: str) -> dict[str, Group]:
    """Return the groups of a space by prediction, those of the default exponent."""
    groups = {}
    for group in arms.groups(measure):
        label = group.values.get(space.axis, "")
        p = exponent(group)
        if label in space.labels and (p is None or p == DEFAULT):
            groups[label] = group
    return {label: groups[label] for label in space.labels if label in groups}


def _panel(axes: Any, panel: str, space: Space, arms: Arms) -> Rows:
    """Draw every seed as a point, with mean and standard deviation beside them."""
    rows: Rows = []
    labels: list[str] = []
    for number, (series, ending) in enumerate(space.measures.items()):
        measure = arms.measure(ending)
        groups = chosen(arms, space, measure)
        if not groups:
            wanted = ", ".join(space.labels)
            raise MissingError(space.key, f"{arms.given.text} has no arm of {wanted}")
        labels = labels or list(groups)
        shift = APART * (2 * number - (len(space.measures) - 1))
        _points(
            axes,
            [(labels.index(k) + shift, g) for k, g in groups.items() if k in labels],
            series,
            number,
        )
        base = {"panel": panel, "measure": measure}
        for label, group in groups.items():
            rows += seed_rows(base | {"series": series, "prediction": label}, group, arms)

    shown = [space.labels[label] for label in labels]
    slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if len(shown) > 3 else {}
    axes.set_xticks(range(len(shown)), shown, **slanted)
    axes.set(ylabel=space.unit, xlim=(-0.6, len(shown) - 0.4))
    log_scale(axes.yaxis)
    return rows


def _points(axes: Any, places: list[tuple[float, Group]], series: str, number: int) -> None:
    look = LOOKS[number]
    for x, group in places:
        values = list(group.seeds.values())
        axes.plot([x] * len(values), values, look.marker, color=look.colour, alpha=0.35, ms=3)
    middles = [place for place, _ in places]
    means = [group.mean for _, group in places]
    bars = [group.std if math.isfinite(group.std) else 0 for _, group in places]
    style = {"color": look.colour, "marker": look.marker, "linestyle": "none"}
    axes.errorbar(middles, means, bars, label=series, markerfacecolor="white", **style)


def _caption(rows: Rows) -> str:
    return (
        "What the network predicts: the clean sample (x), the average velocity (u), the velocity "
        "with a skip of the noisy sample (skip), or the correction of a Gaussian's flow (Gauss.). "
        f"Open markers: mean $\\pm$ standard deviation over {seeds_said(rows)}; "
        "small ones: single seeds. "
        + " ".join(f"({name}) {_tex(space.name)}." for name, space in SPACES.items())
    )


def _tex(text: str) -> str:
    return text.replace("³", "$^3$").replace(" mm", "\\,mm")
