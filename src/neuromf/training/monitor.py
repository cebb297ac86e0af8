"""The monitored value of a run's evaluations: which weights are best, when a run ends early, and
what it came to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from neuromf.training.config import Evaluation
from neuromf.training.state import Row

SUMMARY = {"baseline": "at first", "best": "at best", "last": "at last"}
LABELS = {
    "raw": "loss on held-out latents",
    "v_linear": "v-loss on held-out latents over a linear filter's",
    "teacher": "error to the teacher's samples",
    "swd": "swd to held-out latents",
    "fid": "fid to held-out latents",
}


def column(settings: Evaluation) -> str:
    """Return the column of evaluation.csv that is monitored."""
    return "error" if settings.monitor == "teacher" else settings.monitor


def monitored(rows: list[Row], settings: Evaluation) -> list[float]:
    """Return the values that best.ckpt and patience go by, of the rows that have them: rows of
    earlier versions may not.
    """
    name = column(settings)
    return [row[name] for row in rows if name in row]


def is_best(row: Row, earlier: list[Row], settings: Evaluation) -> bool:
    """Return True if a row's monitored value is below that of all earlier rows; False without
    one, or for NaN.
    """
    finite = [v for v in monitored(earlier, settings) if math.isfinite(v)]
    return row.get(column(settings), math.inf) < min(finite, default=math.inf)


def out_of_patience(rows: list[Row], settings: Evaluation) -> bool:
    """Return True if the smallest value is `patience` rows ago or longer; with patience 0 never."""
    values = monitored(rows, settings)
    if not settings.patience or not values:
        return False
    found = [v if math.isfinite(v) else math.inf for v in values]
    return len(found) - 1 - found.index(min(found)) >= settings.patience


def summary(rows: list[Row], settings: Evaluation) -> dict[str, Any]:
    """Return the first row (the baseline), the best and the last by the monitored value; empty
    without rows.
    """
    name = column(settings)
    finite = [row for row in rows if math.isfinite(row.get(name, math.nan))]
    if not finite:
        return {}

    return {
        "monitor": settings.monitor,
        "looks": len(rows),
        "baseline": finite[0],
        "best": min(finite, key=lambda row: row[name]),
        "last": finite[-1],
        "stopped_early": out_of_patience(rows, settings),
    }


def average_column(decay: float) -> str:
    """Return the column of evaluation.csv with the v-loss, over a linear filter's, of the average
    with a decay that is not the first.
    """
    return f"v_linear_{decay:g}"


def best_average(rows: list[Row], decays: Sequence[float]) -> float:
    """Return the decay of the average with the smallest v-loss in the last row, the first without
    rows that have several.
    """
    first, *others = decays
    last = rows[-1] if rows else {}
    found = {first: last.get("v_linear", math.inf)}
    found |= {decay: last.get(average_column(decay), math.inf) for decay in others}
    finite = {decay: v for decay, v in found.items() if math.isfinite(v)}
    return min(finite, key=finite.__getitem__) if finite else first


def sentence(found: dict[str, Any], settings: Evaluation) -> str:
    """Return a summary in words."""
    name = column(settings)
    parts = [
        f"{found[k][name]:.4g} {text} (update {found[k]['update']})" for k, text in SUMMARY.items()
    ]
    return (
        f"{LABELS[settings.monitor]}: "
        f"{', '.join(parts)}{'; stopped early' if found['stopped_early'] else ''}"
    )
