"""The results of a study's arms: every measure of every arm, or why it is missing."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuromf.evaluation.score import Better
from neuromf.study.folder import Row, Table, arm_folder, read_table, seen_state
from neuromf.study.measures import DEFAULTS, Measures, read_measures

SHOWN = 40  # known names in an error


@dataclass(frozen=True)
class Known:
    """A measure of a study: its name, step, direction, and label."""

    name: str
    step: str
    better: Better
    label: str


@dataclass(frozen=True)
class Collected:
    """The arms of a study with the values of the chosen measures."""

    folder: Path
    table: Table
    measures: tuple[Known, ...]
    values: dict[str, dict[str, float]]  # by measure and arm, finite ones alone
    missing: dict[str, dict[str, str]]  # by measure and arm: why there is no value
    states: dict[str, str]  # of each arm, in words

    def of_group(self, measure: str, group: str) -> dict[int, float]:
        """Return the values of a group by seed."""
        own = self.values[measure]
        return {a.seed: own[a.name] for a in self.table.arms if a.group == group and a.name in own}

    @property
    def unfinished(self) -> dict[str, str]:
        """The arms that have not finished, and where they stand."""
        return {name: said for name, said in self.states.items() if said != "finished"}


# what one arm has by step: numbers, or the reason why there are none
Steps = dict[str, "Measures | str"]


def collect(folder: Path, asked: Sequence[str] = ()) -> Collected:
    """Return the measures that are asked for, by name or pattern, of every arm of a study; those
    that the last step's verb shows by default if none is.

    Raises FileNotFoundError where there is no study, RecordError for another format, and ValueError
    where no arm has anything to show, or a name is not known.
    """
    table = read_table(folder)
    states = {arm.name: _stands(folder, arm) for arm in table.arms}
    found = {arm.name: _read_arm(folder, arm, table.steps, states[arm.name]) for arm in table.arms}
    known = _known(table, found)
    if not known:
        raise ValueError(f"{folder}: no arm has finished: {_counted(states)}")

    chosen = _chosen(known, asked, table)
    values: dict[str, dict[str, float]] = {}
    missing: dict[str, dict[str, str]] = {}
    for full, measure in chosen.items():
        values[measure.name], missing[measure.name] = {}, {}
        for arm, steps in found.items():
            value = _value(steps, measure.step, full)
            if isinstance(value, str):
                missing[measure.name][arm] = value
            else:
                values[measure.name][arm] = value
    return Collected(folder, table, tuple(chosen.values()), values, missing, states)


def _stands(folder: Path, arm: Row) -> str:
    """Return where an arm stands, in words."""
    state = seen_state(arm_folder(folder, arm.name))
    if state.state == "failed":
        why = state.error[0] if state.error else "no reason given"
        return f"failed at {state.step or 'the start'}: {why}"
    return "not run" if state.state == "waiting" else state.state


def _read_arm(folder: Path, arm: Row, steps: dict[str, str], stands: str) -> Steps:
    found: Steps = {}
    for step, verb in steps.items():
        try:
            found[step] = read_measures(verb, arm_folder(folder, arm.name) / step)
        except ValueError as error:
            found[step] = str(error) if stands == "finished" else stands
    return found


def _known(table: Table, found: dict[str, Steps]) -> dict[str, Known]:
    """Return every measure that some arm has, by its full name STEP/NAME; it is called NAME
    alone where one step has it.
    """
    first: dict[str, tuple[str, str, Better, str]] = {}
    for step in table.steps:
        for steps in found.values():
            measures = steps[step]
            if isinstance(measures, dict):
                for name, m in measures.items():
                    first.setdefault(f"{step}/{name}", (step, name, m.better, m.label))

    names = [name for _, name, _, _ in first.values()]
    return {
        full: Known(name if names.count(name) == 1 else full, step, better, label)
        for full, (step, name, better, label) in first.items()
    }


def _chosen(known: dict[str, Known], asked: Sequence[str], table: Table) -> dict[str, Known]:
    """Return the measures that are asked for, in that order."""
    chosen: dict[str, Known] = {}
    for pattern in asked:
        hits = {f: m for f, m in known.items() if _matches(f, m, pattern)}
        if not hits:
            names = [m.name for m in known.values()]
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise ValueError(
                f"measure {pattern!r} is in no finished arm: known are "
                f"{', '.join(names[:SHOWN])}{more}"
            )
        chosen |= hits
    if chosen:
        return chosen

    # of the last step that has any, so that a study under way can be looked at
    for step, verb in reversed(table.steps.items()):
        own = {full: m for full, m in known.items() if m.step == step}
        patterns = DEFAULTS.get(verb, ("seconds",))
        shown = {f: m for p in patterns for f, m in own.items() if _matches(f, m, p)}
        if shown or own:
            return shown or own
    return known


def _matches(full: str, measure: Known, pattern: str) -> bool:
    short = full.removeprefix(f"{measure.step}/")
    return any(fnmatch.fnmatchcase(name, pattern) for name in (full, short, measure.name))


def _value(steps: Steps, step: str, full: str) -> float | str:
    measures = steps[step]
    if isinstance(measures, str):
        return measures
    found = measures.get(full.removeprefix(f"{step}/"))
    if found is None:
        return "no such figure"
    return found.value if math.isfinite(found.value) else f"not a finite number ({found.value})"


def _counted(states: dict[str, str]) -> str:
    """Return how many arms stand where, with the first failure."""
    kinds = [said.partition(" at ")[0] for said in states.values()]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "no arms"
    failed = next((f"{n}: {s}" for n, s in states.items() if s.startswith("failed")), "")
    return f"{counts}{f' ({failed})' if failed else ''}; run `neuromf sweep` on, or --resume it"
