"""Curves of several trainings in one panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from neuromf.report.figures import FEW, absent, guide, over_updates
from neuromf.report.findings import smoothed
from neuromf.report.trained import Trained
from neuromf.reporting.plots import COLOURS, REFERENCE, subplots

WIDE = 9.0  # inches
DISTINCT = (*COLOURS[:6], COLOURS[7])  # without yellow, too pale for a thin line
STYLES = ("-", "--", ":", "-.")  # after every seven runs the next one


def overlays(runs: Sequence[Trained]) -> dict[str, Figure]:
    """Return the figures of a comparison by name: losses, evaluation, speed."""
    return {
        "losses": _figure(runs, "log", {"raw": "raw loss", "gradient_norm": "gradient norm"}, True),
        "evaluation": _figure(
            runs,
            "evaluation",
            {"v_linear": "v-loss over a linear filter's", "swd": "sliced Wasserstein distance"},
            False,
        ),
        "speed": _figure(
            runs,
            "log",
            {"samples_per_second": "samples per second", "memory_gb": "memory (GB)"},
            False,
        ),
    }


def style(number: int) -> dict[str, Any]:
    """Return colour and dashes of a run by its place, different for the first 28."""
    dashes = STYLES[number // len(DISTINCT) % len(STYLES)]
    return {"color": DISTINCT[number % len(DISTINCT)], "ls": dashes}


def _figure(runs: Sequence[Trained], table: str, names: dict[str, str], log: bool) -> Figure:
    legend_rows = -(-len(runs) // 4)
    with subplots(1, len(names), size=(WIDE, 2.8 + 0.17 * legend_rows)) as (figure, panels):
        for axes, (name, label) in zip(panels, names.items(), strict=True):
            _panel(axes, runs, table, name, label, log)
        lines = [axes.get_legend_handles_labels() for axes in panels]
        handles, labels = max(lines, key=lambda both: len(both[0]))
        if handles:
            figure.legend(handles, labels, loc="outside lower left", ncols=4, handlelength=2.6)
    return figure


def _panel(
    axes: Any, runs: Sequence[Trained], table: str, name: str, label: str, log: bool
) -> None:
    drawn = 0
    for number, run in enumerate(runs):
        times, values = getattr(run, table).points(name)
        if not len(values):
            continue
        few = len(values) <= FEW
        line = values if few else smoothed(values)
        axes.plot(
            times, line, lw=1.2, marker="o" if few else "", ms=2.5, label=run.name, **style(number)
        )
        drawn += 1

    if not drawn:
        absent(axes, f"{label}: no run measured it")
        return
    if log:
        axes.set_yscale("log")
    if name == "v_linear":
        guide(axes, 1, "a linear filter", REFERENCE)
    missing = len(runs) - drawn
    if missing:
        axes.set_title(f"missing in {missing} of {len(runs)} runs", loc="right", color="0.35")
    over_updates(axes)
    axes.set_ylabel(label)
