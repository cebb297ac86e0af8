"""The table of a study's arms and the state of each, as `neuromf sweep` leaves them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from neuromf.runtime.records import RecordError, read_record

FORMAT = 1
TABLE = "study.json"
STATE = "state.json"
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
        places = [(arm.group, arm.seed) for arm in self.arms]
        twice = sorted({place for place in places if places.count(place) > 1})
        if twice:
            group, seed = twice[0]
            raise ValueError(f"two arms of {group} have seed {seed}: each seed once in a group")

    @property
    def groups(self) -> dict[str, dict[str, str]]:
        """The values of each group, in the table's order."""
        return {arm.group: arm.values for arm in self.arms}


@dataclass(frozen=True)
class State:
    """Where an arm stands, as its own process last wrote it."""

    state: Name = "waiting"
    step: str = ""
    error: list[str] = field(default_factory=list)


def read_arms(folder: Path) -> Table:
    """Return the arms of a study. Raises FileNotFoundError for another folder and RecordError
    for a damaged one, or one of another format.
    """
    if not (folder / TABLE).is_file():
        raise FileNotFoundError(
            f"{folder} holds no {TABLE}: give a folder that `neuromf sweep` wrote"
        )
    return read_record(folder / TABLE, Table, "start the sweep again with --resume")


def read_state(folder: Path) -> State:
    """Return where the arm in `folder` stands by its own word; a damaged state is none."""
    try:
        return read_record(folder / STATE, State)
    except (OSError, RecordError):
        return State()
