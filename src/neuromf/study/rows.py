"""The rows of a study's tables, as CSV and JSON hold them: empty where there is no number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from neuromf.metrics.intervals import Interval
from neuromf.study.collected import Collected
from neuromf.study.comparing import Result
from neuromf.study.groups import Summary

Cells = dict[str, Any]


def group_rows(rows: Sequence[Summary]) -> list[Cells]:
    """Return the rows of table.csv."""
    return [
        {"group": r.group}
        | {f"axis.{axis}": value for axis, value in r.values.items()}
        | {"measure": r.measure, "better": r.better, "n": r.n}
        | {"mean": number(r.mean), "std": number(r.std)}
        | ends("mean", r.interval)
        | {"iqm": number(r.iqm)}
        | ends("iqm", r.iqm_interval)
        | {"missing_seeds": " ".join(str(seed) for seed in r.missing)}
        for r in rows
    ]


def arm_rows(collected: Collected) -> list[Cells]:
    """Return the rows of arms.csv: values, and why some are missing."""
    rows = []
    for arm in collected.table.arms:
        row: Cells = {"arm": arm.name, "group": arm.group, "seed": arm.seed}
        row |= {f"axis.{axis}": value for axis, value in arm.values.items()}
        row["state"] = collected.states[arm.name]
        row |= {m.name: collected.values[m.name].get(arm.name) for m in collected.measures}
        reasons = [
            f"{m.name}: {collected.missing[m.name][arm.name]}"
            for m in collected.measures
            if arm.name in collected.missing[m.name]
        ]
        rows.append(row | {"missing": "; ".join(reasons)})
    return rows


def result_rows(results: Sequence[Result]) -> list[Cells]:
    """Return the rows of tests.csv."""
    return [_result_row(result) for result in results]


def _result_row(r: Result) -> Cells:
    row: Cells = {"family": r.family, "at": r.at, "measure": r.measure, "test": r.test}
    row |= {"comparison": compared(r), "groups": " ".join(r.groups)}
    row["n"] = " ".join(str(n) for n in r.n)
    row |= {"difference": number(r.difference)} | ends("difference", r.interval)
    row |= {"statistic": number(r.statistic), "df": " ".join(f"{df:.6g}" for df in r.df)}
    row |= {"p": number(r.p), "p_holm": number(r.p_holm)}
    row |= {"g": number(r.effect.value)} | ends("g", r.effect.interval)
    row |= {"improvement": number(r.improvement)} | ends("improvement", r.improvement_interval)

    pairs = r.pairs
    if pairs is not None:
        row |= {"pairs": len(pairs.seeds), "paired_difference": number(pairs.difference)}
        row |= ends("paired_difference", pairs.interval)
        row |= {"paired_p": number(pairs.p), "paired_p_holm": number(pairs.p_holm)}
        row |= {"d_z": number(pairs.effect.value)} | ends("d_z", pairs.effect.interval)
    notes = [r.note, pairs.note if pairs else ""]
    return row | {"note": "; ".join(dict.fromkeys(note for note in notes if note))}


def compared(r: Result) -> str:
    """Return which groups a test compares, by their values along the axis."""
    return (" − " if len(r.names) == 2 else ", ").join(r.names)


def ends(name: str, interval: Interval) -> Cells:
    """Return the cells of an interval."""
    return {f"{name}_low": number(interval.low), f"{name}_high": number(interval.high)}


def number(value: float) -> float | None:
    """Return a number as JSON has it: nothing where it is not finite."""
    return value if math.isfinite(value) else None
