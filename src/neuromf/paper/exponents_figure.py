"""Figure 5: what the exponent p of the loss does, on the torus and on brains."""

from __future__ import annotations

import math
from typing import Any

from neuromf.paper.arms_table import Arms, Group, read_arms
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.exponents import by_exponent
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import Sources
from neuromf.paper.style import LOOKS, WIDE, Look, letter, log_scale, page

PREDICTION = "x"  # of the torus: the other predictions fail there (figure 6)
TORUS = {"1 call": "distance_1", "5 calls": "distance_5", "50 calls": "distance_50"}
FID = {"FID, 3D": "random-3d/fid"}
SSIM = {"SSIM to nearest": "ssim", "MS-SSIM in set": "ms_ssim"}
BRAINS = {"b": (FID, "FID, 3D (untrained)"), "c": (SSIM, "similarity")}


def draw(sources: Sources) -> Drawn:
    """Return the figure: the torus in one panel, FID and SSIM of brains in two."""
    rows: Rows = []
    missing: list[Missing] = []
    with page(WIDE, 2.5) as figure:
        panels = dict(zip("abc", figure.subplots(1, 3), strict=True))
        for name, axes in panels.items():
            try:
                rows += _panel(axes, name, sources)
            except MissingError as error:
                missing.append(of_error(f"Figure 5{name}", error))
                draw_missing(axes, missing[-1])
            letter(axes, name)

    return Drawn(5, "exponents", figure, _caption(rows), rows, missing)


def _panel(axes: Any, name: str, sources: Sources) -> Rows:
    if name == "a":
        arms = read_arms(sources, "studies.torus")
        rows = _curves(axes, name, arms, TORUS, PREDICTION)
        axes.set_ylabel("distance to the torus")
        log_scale(axes.yaxis)
    else:
        arms = read_arms(sources, "studies.brains")
        measures, label = BRAINS[name]
        rows = _curves(axes, name, arms, measures, "")
        axes.set_ylabel(label)

    axes.set_xlabel("exponent $p$")
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend()
    return rows


def _curves(axes: Any, panel: str, arms: Arms, measures: dict[str, str], prediction: str) -> Rows:
    """Draw measures over the exponent, mean and standard deviation over seeds."""
    rows: Rows = []
    for (series, ending), look in zip(measures.items(), LOOKS, strict=False):
        measure = arms.measure(ending)
        groups = by_exponent(arms.groups(measure), prediction)
        if not groups:
            raise MissingError(arms.given.key, f"{arms.given.text} varies no exponent")
        _curve(axes, groups, series, look)
        base = {"panel": panel, "series": series, "measure": measure}
        for p, group in groups.items():
            rows += seed_rows(base | {"p": p}, group, arms)
    return rows


def _curve(axes: Any, groups: dict[float, Group], series: str, look: Look) -> None:
    means = [group.mean for group in groups.values()]
    bars = [group.std if math.isfinite(group.std) else 0 for group in groups.values()]
    axes.errorbar(list(groups), means, bars, label=series, **look.options)


def seed_rows(base: dict[str, Any], group: Group, arms: Arms) -> Rows:
    """Return a row for each seed of a group, and one of their mean and standard deviation."""
    base = base | {"group": group.name}
    seeds = [base | {"seed": s, "value": v} | arms.cited.cells for s, v in group.seeds.items()]
    mean = {"seed": "mean", "value": group.mean, "std": group.std, "n": len(group.seeds)}
    return [*seeds, base | mean | arms.cited.cells]


def seeds_said(rows: Rows) -> str:
    """Return how many seeds the means of some rows are over."""
    counts = sorted({row["n"] for row in rows if row.get("seed") == "mean"})
    if not counts:
        return "no seeds: nothing was run"
    ends = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{ends} seed{'s' * (counts[-1] > 1)}"


def _caption(rows: Rows) -> str:
    return (
        "Exponent $p$ of the loss, mean $\\pm$ standard deviation over "
        f"{seeds_said(rows)}. (a) Distance of samples to the torus in 256 dimensions, "
        f"{PREDICTION}-prediction. (b, c) Brains at 2\\,mm after short trainings, one call: "
        "FID in the features of an untrained network, SSIM to the nearest real volume, and MS-SSIM "
        "between volumes of a set."
    )
