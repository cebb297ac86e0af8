"""What the trainings of `neuromf usefulness` say together: means over people, and differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from neuromf.metrics.intervals import LEVEL, of_mean

BASIS = "real"  # the arm that the others are compared with
UNIT = (
    "A case is a real person who is left out: the mean of their scans and of the seeds. Means are "
    f"over cases; intervals ({LEVEL:.0%}, Student's t over cases) and paired differences too. The "
    "cases' training sets overlap, so intervals are somewhat too narrow. `seed sd` is the standard "
    "deviation of the mean over seeds."
)


@dataclass(frozen=True)
class Row:
    """What one training gave on the person left out."""

    arm: str
    size: int  # real people trained on; 0 in an arm without real pairs
    fold: int
    seed: int
    person: str
    dice: float
    found_ml: float
    true_ml: float
    seconds: float


Grouped = dict[str, dict[int, float]]  # person -> seed -> Dice


def summarise(rows: Sequence[Row], arms: Sequence[str], sizes: Sequence[int]) -> dict[str, Any]:
    """Return what usefulness.json holds: a line for each size and arm.

    An arm without real pairs is trained once and stands at every size beside the same numbers.
    """
    lines = []
    for size in sizes:
        basis = grouped(rows, BASIS, size) if BASIS in arms else {}
        for arm in arms:
            own = grouped(rows, arm, size if "real" in arm.split("+") else 0)
            lines.append({"size": size, "arm": arm} | _line(own, {} if arm == BASIS else basis))
    return {"format": 1, "unit": UNIT, "lines": lines}


def grouped(rows: Sequence[Row], arm: str, size: int) -> Grouped:
    """Return the Dice coefficients of an arm at a size."""
    found: Grouped = {}
    for row in rows:
        if (row.arm, row.size) == (arm, size):
            found.setdefault(row.person, {})[row.seed] = row.dice
    return found


def _line(own: Grouped, basis: Grouped) -> dict[str, Any]:
    each = {person: _mean(list(seeds.values())) for person, seeds in sorted(own.items())}
    seeds = sorted({seed for values in own.values() for seed in values})
    by_seed = [_mean([values[s] for values in own.values() if s in values]) for s in seeds]
    line: dict[str, Any] = {"cases": len(each), "seeds": len(seeds)}
    line |= _with_interval("dice", list(each.values()))
    line["seed_sd"] = _spread(by_seed)

    # of the seeds that both have: a person's difference then has the same seeds on either side
    apart = {
        person: _mean([own[person][s] - basis[person][s] for s in shared])
        for person in each
        if (shared := sorted(own[person].keys() & basis.get(person, {}).keys()))
    }
    if apart:
        line |= _with_interval("difference", list(apart.values()))
        line["better"] = sum(value > 0 for value in apart.values())
    return line | {"each": {name: round(value, 6) for name, value in each.items()}}


def _with_interval(name: str, values: Sequence[float]) -> dict[str, Any]:
    interval = of_mean(torch.tensor(values, dtype=torch.float64))
    ends = [None if math.isinf(end) else round(end, 6) for end in interval]
    return {name: round(_mean(values), 6), f"{name}_interval": ends}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def _spread(values: Sequence[float]) -> float | None:
    return round(float(torch.tensor(values).double().std()), 6) if len(values) > 1 else None


def table(summary: dict[str, Any]) -> str:
    """Return the summary as text: a row for each size and arm."""
    rows = [f"{'real':>4} {'arm':26}{'cases':>6}{'seeds':>6}{'Dice':>7} {'interval':18}"]
    rows[0] += f"{'seed sd':>8}{'difference':>12} {'interval':18}{'better':>7}"
    for line in summary["lines"]:
        text = f"{line['size']:>4} {line['arm']:26}{line['cases']:6}{line['seeds']:6}"
        sd = "-" if line["seed_sd"] is None else f"{line['seed_sd']:.3f}"
        text += f"{line['dice']:7.3f} {_shown(line['dice_interval']):18}{sd:>8}"
        if "difference" in line:
            better = f"{line['better']}/{line['cases']}"
            text += f"{line['difference']:+12.3f} {_shown(line['difference_interval']):18}"
            text += f"{better:>7}"
        rows.append(text)
    return "\n".join([*rows, "", summary["unit"]])


def _shown(interval: Sequence[float | None]) -> str:
    low, high = interval
    return "-" if low is None or high is None else f"({low:+.3f}, {high:+.3f})"
