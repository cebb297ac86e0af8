"""The folder of a study: the table of its arms, and where each of them stands."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from neuromf.invoke import schema_of
from neuromf.runtime.config import ConfigError, load_record, to_yaml
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.lock import is_locked
from neuromf.runtime.records import RecordError, read_record
from neuromf.study.arms import Arm
from neuromf.verbs import VERBS, Verb

FORMAT = 1
TABLE = "study.json"
STATE = "state.json"
LOG = "log.txt"
LINES = 8  # of a failure, kept in the state
Name = Literal["waiting", "running", "finished", "failed", "stopped"]


@dataclass(frozen=True)
class Row:
    """An arm as the table holds it."""

    name: str
    group: str  # the name without the seed
    seed: int
    values: dict[str, str]  # label of its value by axis


@dataclass(frozen=True)
class Table:
    """What study.json holds: every arm, and the verb of each step, in order."""

    axes: list[str]
    seeds: list[int]
    steps: dict[str, str]
    arms: list[Row]
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}: this version reads {FORMAT}")
        places = Counter((arm.group, arm.seed) for arm in self.arms)
        for (group, seed), times in places.items():
            if times > 1:
                raise ValueError(f"two arms of {group} have seed {seed}: each seed once in a group")

    @property
    def groups(self) -> dict[str, dict[str, str]]:
        """The values of each group, in the table's order."""
        return {arm.group: arm.values for arm in self.arms}


@dataclass(frozen=True)
class State:
    """Where an arm stands, as its own process last wrote it."""

    state: Name = "waiting"
    attempt: int = 0
    failures: int = 0  # attempts that failed; others were stopped
    step: str = ""
    started: str = ""  # of the attempt
    seconds: float = 0.0  # of all attempts together
    host: str = ""
    process: int = 0
    error: list[str] = field(default_factory=list)

    def begun(self, step: str) -> State:
        """Return the state of an attempt that this process begins."""
        return replace(
            self,
            state="running",
            attempt=self.attempt + 1,
            step=step,
            started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            host=platform.node(),
            process=os.getpid(),
            error=[],
        )


def write_table(folder: Path, arms: Sequence[Arm], steps: Mapping[str, str]) -> Table:
    """Write the configurations of all arms, and then study.json; return what it holds.

    Raises ConfigError where an arm of the same name was begun with another configuration.
    """
    rows = [Row(arm.name, arm.group, arm.seed, arm.values) for arm in arms]
    axes = list(arms[0].values) if arms else []
    table = Table(axes, sorted({arm.seed for arm in arms}), dict(steps), rows)
    for arm in arms:
        own = arm_folder(folder, arm.name)
        own.mkdir(parents=True, exist_ok=True)
        for step, text in arm.texts(own).items():
            _write_config(own / f"{step}.yaml", text, arm.name, VERBS[steps[step]])
    write_json(folder / TABLE, asdict(table))
    return table


def _write_config(path: Path, text: str, arm: str, verb: Verb) -> None:
    if path.is_file():
        before = path.read_text(encoding="utf-8")
        if before == text:
            return
        if read_state(path.parent).attempt:
            if _completed(before, path, verb) == text:
                return  # written by a version with fewer keys; the new keys have their defaults
            raise ConfigError(
                f"{arm} was begun with another configuration ({path}): give the changed arm "
                "another label, or the study another out=FOLDER"
            )
    write_text(path, text)


def _completed(text: str, path: Path, verb: Verb) -> str:
    """Return a configuration with the defaults of the keys that it lacks."""
    try:
        return to_yaml(load_record(schema_of(verb), text, str(path)))
    except ConfigError:
        return text


def read_table(folder: Path) -> Table:
    """Return the arms of a study. Raises FileNotFoundError for another folder and RecordError
    for a damaged one.
    """
    if not (folder / TABLE).is_file():
        raise FileNotFoundError(
            f"{folder} holds no {TABLE}: give a folder that `neuromf sweep` wrote"
        )
    return read_record(folder / TABLE, Table, "start the sweep again with --resume")


def arm_folder(folder: Path, name: str) -> Path:
    """Return the folder of an arm."""
    return folder / "arms" / name


def read_state(folder: Path) -> State:
    """Return the state that the arm in `folder` last wrote; a new one if there is none, or it is
    damaged.
    """
    try:
        return read_record(folder / STATE, State)
    except (OSError, RecordError):
        return State()


def write_state(folder: Path, state: State) -> None:
    """Write where an arm stands."""
    write_json(folder / STATE, asdict(state))


def seen_state(folder: Path) -> State:
    """Return the state of an arm. One that is recorded as running, but whose folder no process has
    locked, was killed or lost, and counts as stopped.
    """
    state = read_state(folder)
    if state.state == "running" and not is_locked(folder):
        return replace(state, state="stopped")
    return state
