"""Where the arms of a study stand, as a table."""

from __future__ import annotations

import csv
import io
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from neuromf.runtime.progress import clock
from neuromf.study.folder import State, Table, arm_folder, read_table, seen_state

ORDER = ("finished", "running", "waiting", "stopped", "failed")
COLOURS = {"finished": "green", "running": "cyan", "stopped": "yellow", "failed": "red"}
MOST = 40  # rows that a terminal shows
TAIL = 4096  # bytes of a log's end
WIDTH = 110


@dataclass(frozen=True)
class Standing:
    """One arm: its state, and the share of its steps that is done."""

    name: str
    state: State
    done: float


def standings(
    folder: Path, table: Table, known: Mapping[str, Standing] | None = None
) -> list[Standing]:
    """Return where every arm of a study stands; what is `known` of an arm is not read again."""
    known, steps = known or {}, list(table.steps)
    found = []
    for row in table.arms:
        standing = known.get(row.name)
        if standing is None:
            own = arm_folder(folder, row.name)
            state = seen_state(own)
            standing = Standing(row.name, state, share_done(own, state, steps))
        found.append(standing)
    return found


def share_done(folder: Path, state: State, steps: Sequence[str]) -> float:
    """Return how much of an arm is done: whole steps, and of a training its updates."""
    if state.state == "finished":
        return 1.0
    if state.step not in steps:
        return 0.0
    return (steps.index(state.step) + _share_of_updates(folder, state.step)) / len(steps)


def _share_of_updates(folder: Path, step: str) -> float:
    """Return the share of a training's updates that its log.csv tells of; 0 for other verbs."""
    try:
        with (folder / step / "log.csv").open("rb") as file:
            header = file.readline().decode()
            file.seek(max(file.seek(0, os.SEEK_END) - TAIL, 0))
            last = file.read().decode(errors="replace").splitlines()[-1]
        row = next(csv.DictReader([header, last]))
        total = re.search(r"(?m)^updates: (\d+)$", (folder / f"{step}.yaml").read_text("utf-8"))
        return min(1.0, int(row["update"]) / int(total[1])) if total else 0.0
    except (OSError, ValueError, KeyError, IndexError, StopIteration):
        return 0.0


def seconds_left(found: Sequence[Standing], workers: int) -> float | None:
    """Return the seconds until all arms are done, by the mean of those that have finished; None
    where there are none.
    """
    took = [s.state.seconds for s in found if s.state.state == "finished"]
    if not took:
        return None
    left = sum(1 - s.done for s in found if s.state.state not in {"finished", "failed"})
    return left * sum(took) / len(took) / max(workers, 1)


def headline(found: Sequence[Standing], workers: int = 1) -> str:
    """Return how many arms there are in each state, and the time left, as a line."""
    counts: Counter[str] = Counter(s.state.state for s in found)
    parts = [f"{counts[name]} {name}" for name in ORDER if counts[name]]
    left = seconds_left(found, workers)
    more = [f"{clock(left)} left"] if left and counts["finished"] < len(found) else []
    return f"{len(found)} arms: {', '.join([*parts, *more])}"


def drawn(found: Sequence[Standing], workers: int = 1, most: int = MOST) -> RenderableType:
    """Return the table of arms; where there are more than `most`, those that run, failed or were
    stopped come first.
    """
    urgent = {"failed": 0, "running": 1, "stopped": 2, "waiting": 3, "finished": 4}
    shown = list(found)
    if len(found) > most:
        shown = sorted(found, key=lambda s: urgent[s.state.state])[:most]
    table = RichTable("arm", "state", "done", "step", "attempt", "time", box=None, pad_edge=False)
    for standing in shown:
        state = standing.state
        table.add_row(
            standing.name,
            Text(state.state, COLOURS.get(state.state, "")),
            f"{100 * standing.done:.0f} %",
            state.step,
            str(state.attempt or ""),
            clock(state.seconds) if state.seconds else "",
        )

    parts: list[RenderableType] = [table]
    if len(found) > len(shown):
        parts.append(Text(f"and {len(found) - len(shown)} more"))
    parts += [Text(line, "red") for line in failures(shown)]
    return Group(*parts, Text(headline(found, workers)))


def failures(found: Iterable[Standing]) -> list[str]:
    """Return the last lines of every arm that failed."""
    lines: list[str] = []
    for standing in found:
        if standing.state.state == "failed":
            lines.append(f"{standing.name} failed, attempt {standing.state.attempt}:")
            lines += [f"  {line}" for line in standing.state.error]
    return lines


def standing(folder: Path) -> str:
    """Return where the arms of the study in a folder stand, as text."""
    found = standings(folder, read_table(folder))
    text = io.StringIO()
    Console(file=text, width=WIDTH, highlight=False).print(drawn(found))
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


class Teller:
    """Tells how far a study is: a live table on a terminal, a line every half minute in a log."""

    def __init__(self, folder: Path, table: Table, workers: int, every: float) -> None:
        self.folder, self.table, self.workers, self.every = folder, table, workers, every
        self.next = 0.0
        self.over: dict[str, Standing] = {}  # finished arms, which stay as they are

    def found(self) -> list[Standing]:
        """Return where every arm stands now."""
        found = standings(self.folder, self.table, self.over)
        self.over = {s.name: s for s in found if s.state.state == "finished"}
        return found

    def due(self) -> bool:
        """Return True when it is time to tell again."""
        if time.monotonic() < self.next:
            return False
        self.next = time.monotonic() + self.every
        return True
