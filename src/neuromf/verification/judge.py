"""What the evidence says of each row, and whether the gate of a phase is open."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neuromf.verification.sources import MissingError, hardware, value
from neuromf.verification.suite import Outcomes, of_test
from neuromf.verification.table import Figure, Phase, Row

State = Literal["pass", "fail", "not run"]
BOUNDS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "above": (">", operator.gt),
    "below": ("<", operator.lt),
    "at_least": (">=", operator.ge),
    "at_most": ("<=", operator.le),
}


@dataclass(frozen=True)
class Verdict:
    """A row with what was found."""

    row: Row
    state: State
    found: str  # values, in words
    why: str  # of what failed or was not run
    seconds: float  # of its tests


@dataclass(frozen=True)
class Evidence:
    """All that rows are judged by."""

    outcomes: Outcomes
    untested: str  # why tests are not among them
    measured: Mapping[str, float]
    missing: Mapping[str, str]  # sources, and why
    out: Path


@dataclass(frozen=True)
class _Part:
    state: State
    found: str = ""
    why: str = ""
    seconds: float = 0.0


def judged(row: Row, evidence: Evidence) -> Verdict:
    """Return the verdict on a row: it passes where every part of its evidence does."""
    parts = [_tested(test, evidence) for test in row.tests]
    parts += [_bounded(figure, evidence) for figure in row.figures]
    if row.seen is not None:
        state: State = "pass" if row.seen.reached else "fail"
        parts.append(_Part(state, f"by eye ({row.seen.where}): {row.seen.says}"))
    if row.lacks or not parts:
        parts.append(_Part("not run", why=row.lacks or "nothing measures it yet"))

    states = {part.state for part in parts}
    whole: State = "fail" if "fail" in states else "not run" if "not run" in states else "pass"
    return Verdict(
        row,
        whole,
        "; ".join(dict.fromkeys(part.found for part in parts if part.found)),
        "; ".join(dict.fromkeys(part.why for part in parts if part.why)),
        sum(part.seconds for part in parts),
    )


def gate(phase: Phase, verdicts: Mapping[str, State]) -> tuple[bool, str]:
    """Return True where the gate of a phase is open, and why or why not; `verdicts` by id."""
    critical = phase.critical or tuple(r.id for r in phase.rows if r.id and r.id not in phase.some)
    closed = [name for name in critical if verdicts.get(name) != "pass"]
    passed = [name for name in phase.some if verdicts.get(name) == "pass"]
    if closed:
        return False, f"{', '.join(closed)} did not pass"
    if len(passed) < phase.of_some:
        return False, f"{len(passed)} of {', '.join(phase.some)} passed, {phase.of_some} are needed"
    return True, f"all {len(critical) + phase.of_some} critical rows pass"


def _tested(test: str, evidence: Evidence) -> _Part:
    found = of_test(evidence.outcomes, test)
    if not found:
        return _Part("not run", why=evidence.untested or f"{test} is not among the tests that ran")
    seconds = sum(outcome.seconds for outcome in found)
    bad = [outcome for outcome in found if not outcome.passed and not outcome.skipped]
    if bad:
        return _Part("fail", why=f"{test}: {bad[0].message}", seconds=seconds)
    if all(outcome.skipped for outcome in found):
        return _Part("not run", why=f"{test} was skipped: {found[0].message}", seconds=seconds)
    told = [text for outcome in found for text in outcome.measured]
    return _Part("pass", "; ".join(dict.fromkeys(told)), seconds=seconds)


def _bounded(figure: Figure, evidence: Evidence) -> _Part:
    try:
        number = _value(figure, figure.key, evidence)
        limits = {
            name: _value(figure, bound, evidence) if isinstance(bound, str) else float(bound)
            for name in BOUNDS
            if (bound := getattr(figure, name)) is not None
        }
    except MissingError as error:
        return _Part("not run", why=str(error))

    unit = f" {figure.unit}" if figure.unit else ""
    found = f"{figure.label} {shown(number)}{unit}"
    found += "".join(
        f" {BOUNDS[name][0]} {shown(limits[name])}"
        for name in limits
        if isinstance(getattr(figure, name), str)
    )
    if figure.recorded:
        found += f" (recorded, {hardware(figure)})"

    broken = [name for name, limit in limits.items() if not BOUNDS[name][1](number, limit)]
    if broken or math.isnan(number):
        said = ", ".join(f"not {BOUNDS[name][0]} {shown(limits[name])}" for name in broken)
        return _Part("fail", found, f"{figure.label} is {said or 'no number'}")
    return _Part("pass", found)


def shown(number: float) -> str:
    """Return a number as a reader wants it: three digits, or all of a whole number."""
    return f"{number:,.0f}" if number.is_integer() else f"{number:.3g}"


def _value(figure: Figure, key: str, evidence: Evidence) -> float:
    return value(figure, key, evidence.out, evidence.measured, evidence.missing)
