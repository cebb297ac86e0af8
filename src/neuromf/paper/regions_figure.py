"""Figure 8: sizes of brain regions, real people against generated brains."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from neuromf.evaluation.plots import regions_shown
from neuromf.evaluation.results import RegionRecord, Results, read_scores
from neuromf.paper.booktabs import tex
from neuromf.paper.comparison import read_comparison
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import Cited, Sources, finished_run, reading
from neuromf.paper.style import BLACK, LOOKS, WIDE, Look, letter, page

HEIGHT = 2.35
REAL = Look(BLACK, "X", "-")  # a marker that no other set has
WIDTH = 0.26  # over which points of a set are spread
Sizes = dict[str, dict[str, RegionRecord]]  # by set and region; real people first


def draw(sources: Sources) -> Drawn:
    """Return the figure: a panel for each region that a reader looks for, every brain a point."""
    rows: Rows = []
    missing: list[Missing] = []
    caption = "Sizes of brain regions were not run."
    with page(WIDE, HEIGHT) as figure:
        try:
            results, sets, cited = _read(sources)
            sizes = {"real": results.reference.region_ml}
            sizes |= {shown: results.sets[name].region_ml for shown, name in sets.items()}
            regions = regions_shown(results)
            if not regions:
                raise MissingError(cited.key, f"{cited.source} measured no regions")

            panels = figure.subplots(1, len(regions), squeeze=False)[0]
            for number, (region, axes) in enumerate(zip(regions, panels, strict=True)):
                rows += _panel(axes, string.ascii_lowercase[number], region, sizes, cited)
            handles, labels = panels[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
            caption = _caption(results, sizes)
        except MissingError as error:
            missing.append(of_error("Figure 8", error))
            draw_missing(figure.subplots(), missing[-1])
    return Drawn(8, "regions", figure, caption, rows, missing)


def _read(sources: Sources) -> tuple[Results, dict[str, str], Cited]:
    """Return an evaluation, the sets of it that are shown, and its file."""
    if sources.has("evaluation") or not sources.has("compare"):
        given = sources.one("evaluation")
        finished_run(given, "evaluate", "compare")
        with reading(given):
            results = read_scores(given.path / "scores.json")
        sets = {name: name for name in list(results.sets)[: len(LOOKS)]}
        return results, sets, sources.cite(given, given.path / "scores.json")

    comparison = read_comparison(sources)
    shown = {}
    for name, points in comparison.series().items():
        # the fewest calls of MeanFlow are what is claimed; a flow needs many
        point = points[0] if name == "MeanFlow" else points[-1]
        calls = f"{point.calls} call{'s' * (point.calls > 1)}"
        if point.name in comparison.first.sets:
            shown[f"{name}, {calls}"] = point.name
    return comparison.first, shown, comparison.runs[0].cited


def _panel(axes: Any, panel: str, region: str, sizes: Sizes, cited: Cited) -> Rows:
    """Draw every brain as a point, with mean and standard deviation of each set."""
    rows: Rows = []
    chance = np.random.default_rng(0)
    for place, ((name, found), look) in enumerate(zip(sizes.items(), (REAL, *LOOKS), strict=False)):
        record = found.get(region)
        values = [v for v in record.each if math.isfinite(v)] if record else []
        if record is None or not values:
            continue
        spread = place + WIDTH * (chance.random(len(values)) - 0.5)
        dots = {"color": look.colour, "alpha": 0.35, "markersize": 2.5, "markeredgewidth": 0}
        axes.plot(spread, values, look.marker, **dots)
        mean = {"color": look.colour, "marker": look.marker, "markerfacecolor": "white"}
        options = {"linestyle": "none", "label": name, "linewidth": 1.4, "zorder": 3}
        axes.errorbar([place], [record.mean], [record.std], **mean, **options)

        base = {"panel": panel, "series": name, "region": region}
        rows += [base | {"brain": i, "ml": v} | cited.cells for i, v in enumerate(record.each)]
        told = {"brain": "mean", "ml": record.mean, "std": record.std, "n": len(values)}
        rows.append(base | told | cited.cells)

    axes.set(xlim=(-0.6, len(sizes) - 0.4), xticks=[], xlabel=region)
    axes.set_ylabel("ml" if panel == "a" else "")
    letter(axes, panel)
    return rows


def _caption(results: Results, sizes: Sizes) -> str:
    counts = [f"{name}: {len(next(iter(found.values())).each)}" for name, found in sizes.items()]
    by = tex(f", measured by {results.regions_by}") if results.regions_by else ""
    return (
        f"Sizes of brain regions{by}, ml. Small markers are single brains "
        f"({'; '.join(counts)}), large ones mean $\\pm$ standard deviation over brains; real ones "
        "are held-out people."
    )
