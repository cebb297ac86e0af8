"""The figures of a training: losses, gradients, speed, evaluation.

A panel for which nothing was measured says so in its place.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neuromf.report.columns import Columns, Numbers
from neuromf.report.findings import smoothed
from neuromf.report.trained import Trained
from neuromf.reporting.plots import BLUE, COLOURS, GREY, REFERENCE, VERMILION, subplots

WIDE = 9.0  # inches
TALL = 2.7
EXACT = ("lr",)  # columns without noise, which a running mean would change
FEW = 12  # points, up to which each is marked
LOSSES = {"raw": "all samples", "raw_equal": "r = t", "raw_interval": "r < t", "raw_head": "v head"}
BANDS = ("0.0_0.1", "0.1_0.3", "0.3_0.6", "0.6_1.01")  # of t - r, as diagnostics.csv names them


def absent(axes: Any, reason: str) -> None:
    """Write into a panel why it is empty."""
    text = textwrap.fill(reason, 34)
    axes.text(0.5, 0.5, text, ha="center", va="center", color="0.35", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set(visible=True, linestyle=(0, (4, 4)), color="0.75")


def guide(axes: Any, y: float, label: str, colour: str = GREY) -> None:
    """Draw a dashed line at a height, with its name at the right end."""
    axes.axhline(y, color=colour, lw=0.9, ls="--")
    place = axes.get_yaxis_transform()
    axes.text(1, y, label, ha="right", va="bottom", fontsize=7, color=colour, transform=place)


def over_updates(axes: Any) -> None:
    """Give a panel's horizontal axis whole updates."""
    axes.set_xlabel("update")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def curve(axes: Any, columns: Columns, name: str, label: str = "", colour: str = BLUE) -> bool:
    """Draw a column over updates: its rows pale, their running mean strong; of few rows each as a
    point. Return False where the column holds no number.
    """
    times, values = columns.points(name)
    if not len(values):
        return False
    if name in EXACT:
        axes.plot(times, values, lw=1.4, color=colour, label=label)
        return True
    if len(values) <= FEW:
        axes.plot(times, values, "o-", ms=3, lw=1.2, color=colour, label=label)
        return True
    axes.plot(times, values, lw=0.6, alpha=0.3, color=colour)
    axes.plot(times, smoothed(values), lw=1.4, color=colour, label=label)
    return True


def curves(axes: Any, columns: Columns, names: Mapping[str, str], y: str, log: bool = True) -> None:
    """Draw several columns into one panel, with a legend; or why there is none."""
    drawn = [
        curve(axes, columns, name, label, COLOURS[i % len(COLOURS)])
        for i, (name, label) in enumerate(names.items())
    ]
    if not any(drawn):
        one = "column" if len(names) == 1 else "columns"
        why = columns.missing or f"no number in the {one} {', '.join(list(names)[:4])}"
        absent(axes, f"{y}: {why}")
        return
    if log and all((columns.points(n)[1] > 0).all() for n in names):
        axes.set_yscale("log")
        axes.tick_params(axis="y", which="minor", labelsize=6.5)
    over_updates(axes)
    axes.set_ylabel(y)
    if len(names) > 1:
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
        columns_of_legend = 4 if len(axes.figure.axes) < 3 else 2  # as wide as the panel
        axes.legend(ncols=columns_of_legend, columnspacing=1, handlelength=1.4, **above)


def losses(run: Trained) -> Figure:
    """Return the raw loss: by r = t and r < t, and by channel of the latents."""
    log = run.log
    kinds = {name: label for name, label in LOSSES.items() if _positive(log, name)}
    channels = {f"raw_channel_{k}": f"channel {k}" for k in log.named("raw_channel_")}
    with subplots(1, 2, size=(WIDE, TALL)) as (figure, (left, right)):
        curves(left, log, kinds or {"raw": "all samples"}, "raw loss")
        curves(right, log, channels or {"raw_channel_0": "channel 0"}, "raw loss by channel")
    return figure


def intervals(run: Trained) -> Figure:
    """Return the raw loss by length of the interval, and sizes of what the objective is made of."""
    told = run.diagnostics
    bands = {f"raw_h_{b}": _interval(b) for b in BANDS}
    found = {name: label for name, label in bands.items() if told.has(name)}
    sizes = {f"rms_{n}": n for n in ("u", "V", "v_c", "dudt") if told.has(f"rms_{n}")}
    with subplots(1, 3, size=(WIDE, TALL)) as (figure, (left, middle, right)):
        curves(left, told, found or bands, "raw loss by t − r")
        curves(middle, told, sizes or {"rms_u": "u"}, "root mean square")
        curves(right, told, {"cosine_V_v_c": "cosine of V and v_c"}, "cosine of V and v_c", False)
    return figure


def gradients(run: Trained) -> Figure:
    """Return gradient norm with the norm that it is clipped to, share of clipped updates, and
    learning rate.
    """
    log, config = run.log, run.settings.config
    with subplots(1, 3, size=(WIDE, TALL)) as (figure, (left, middle, right)):
        curves(left, log, {"gradient_norm": "norm"}, "gradient norm before clipping")
        if config is not None and log.has("gradient_norm"):
            guide(left, config.optimiser.clip, "clipped above")
        curves(middle, log, {"clipped": "share"}, "share of updates clipped", log=False)
        curves(right, log, {"lr": "learning rate"}, "learning rate", log=False)
        right.ticklabel_format(axis="y", scilimits=(-3, 3))
    return figure


def blocks(run: Trained) -> Figure:
    """Return norms of gradient and change of each block of the network, one colour a number."""
    told = run.diagnostics
    with subplots(1, 2, size=(WIDE, 3.4)) as (figure, panels):
        for axes, prefix, label in (
            (panels[0], "gradient/", "gradient norm"),
            (panels[1], "change/", "norm of one update's change"),
        ):
            found = told.named(prefix)
            if not found:
                absent(axes, told.missing or f"diagnostics.csv has no column {prefix}…")
                continue
            _heat(figure, axes, told.update, found, label)
    return figure


def _heat(
    figure: Any, axes: Any, update: Numbers, found: Mapping[str, Numbers], label: str
) -> None:
    from matplotlib.colors import LogNorm

    values = np.stack(list(found.values()))
    values = np.where(values > 0, values, np.nan)
    drawn = axes.imshow(values, aspect="auto", norm=LogNorm(), cmap="viridis")
    axes.set_yticks(range(len(found)), [n.removeprefix("body.") for n in found], fontsize=7)
    shown = np.unique(np.linspace(0, len(update) - 1, min(5, len(update))).round().astype(int))
    axes.set_xticks(shown, [f"{update[i]:.0f}" for i in shown])
    axes.set_xlabel("update")
    figure.colorbar(drawn, ax=axes, label=label)


def speed(run: Trained) -> Figure:
    """Return throughput, memory, and the share of time spent waiting for data."""
    log = run.log
    with subplots(1, 3, size=(WIDE, TALL)) as (figure, (left, middle, right)):
        curves(left, log, {"samples_per_second": "samples/s"}, "samples per second", log=False)
        curves(middle, log, {"memory_gb": "memory"}, "memory (GB)", log=False)
        curves(right, log, {"loader_share": "waiting"}, "share of time waiting for data", log=False)
        for axes in (left, middle, right):
            axes.set_ylim(bottom=0)
    return figure


def velocity(run: Trained) -> Figure:
    """Return the v-loss on held-out latents over t, first, best and last, beside a linear filter's;
    and the mean of their ratios over the run.
    """
    told = run.evaluation
    with subplots(1, 2, size=(WIDE, 3.0)) as (figure, (left, right)):
        _over_t(left, run)
        curves(right, told, {"v_linear": "ratio"}, "v-loss over a linear filter's", log=False)
        if told.has("v_linear"):
            guide(right, 1, "a linear filter", REFERENCE)
    return figure


def _over_t(axes: Any, run: Trained) -> None:
    by_t = {float(t): column for t, column in run.evaluation.named("v_").items() if _is_number(t)}
    if not by_t:
        absent(axes, run.evaluation.missing or "v-loss by t: evaluation.csv has no such column")
        return

    times = sorted(by_t)
    rows = np.stack([by_t[t] for t in times], axis=1)
    for row, label, colour in _shown_rows(run, rows):
        axes.plot(times, rows[row], "o-", ms=3, lw=1.2, color=colour, label=label)
    known = [t for t in times if t in run.linear]
    if known:
        axes.plot(known, [run.linear[t] for t in known], "--", color=REFERENCE, lw=1.1,
                  label="a linear filter")  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlabel("t (0 is data, 1 is noise)")
    axes.set_ylabel("v-loss, held-out latents")
    axes.legend()


def _shown_rows(run: Trained, rows: Numbers) -> list[tuple[int, str, str]]:
    """Return the rows to draw, with a label and a colour: first, best and last, each once."""
    update = run.evaluation.update
    ratio = run.evaluation.values.get("v_linear", rows.mean(axis=1))
    best = int(np.nanargmin(ratio)) if np.isfinite(ratio).any() else 0
    last = len(update) - 1
    wanted = {0: ("first", COLOURS[5]), last: ("last", BLUE), best: ("best", VERMILION)}
    if best == last and last:
        wanted[last] = ("best and last", BLUE)
    return [(i, f"{label}, update {update[i]:.0f}", c) for i, (label, c) in sorted(wanted.items())]


def evaluation(run: Trained) -> Figure:
    """Return power of one-call samples by frequency band beside real latents', loss on held-out
    latents, and distances.
    """
    told = run.evaluation
    others = {"error": "error to the teacher's samples", "fid": "2.5D FID"}
    third = next((name for name in others if told.has(name)), "swd")
    label = others.get(third, "sliced Wasserstein distance")
    with subplots(1, 3, size=(WIDE, TALL)) as (figure, (left, middle, right)):
        _power(left, told)
        curves(middle, told, {"raw": "held-out"}, "raw loss, held-out latents", log=False)
        curves(right, told, {third: label}, label, log=False)
    return figure


def _power(axes: Any, told: Columns) -> None:
    bands = sorted(told.named("power_"), key=int)
    if not bands:
        absent(axes, told.missing or "power by band: evaluation.csv has no such column")
        return
    axes.axhline(1, color=REFERENCE, lw=1.1, ls="--", label="real latents")
    values = [told.last(f"power_{b}") for b in bands]
    axes.plot([int(b) for b in bands], values, "o-", ms=3, color=BLUE, label="one-call samples")
    axes.set_xticks([int(b) for b in bands])
    axes.set_xlabel("frequency band, coarse to fine")
    axes.set_ylabel("power over real latents'")
    axes.set_ylim(bottom=0)
    axes.legend()


def _positive(columns: Columns, name: str) -> bool:
    return bool((columns.points(name)[1] > 0).any())


def _interval(band: str) -> str:
    low, high = (float(x) for x in band.split("_"))
    return f"{low:g} to {min(high, 1):g}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
