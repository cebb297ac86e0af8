"""How far the work is: a bar on a terminal, a line every half minute in a log."""

from __future__ import annotations

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

EVERY = 30.0  # seconds between two lines
FIRST = 5.0  # seconds after which the first one comes


class Rate(ProgressColumn):
    """Items a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate so far."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f} {self.unit}/s" if speed else f"- {self.unit}/s")


class Lines(Progress):
    """A progress that prints lines on stderr, where no terminal would show a bar:
    under nohup, in a job's log.
    """

    def __init__(self, unit: str) -> None:
        super().__init__(console=Console(stderr=True), disable=True)
        self.unit = unit
        self._next: dict[TaskID, float] = {}

    def add_task(self, *args: Any, **kwargs: Any) -> TaskID:
        """Add a task, as Rich does."""
        number = super().add_task(*args, began=kwargs.get("completed", 0), **kwargs)
        self._next[number] = time.monotonic() + FIRST
        return number

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Count items, and tell of them when it is time, and at the end."""
        super().advance(task_id, advance)
        task = self._tasks[task_id]
        if task.finished or time.monotonic() >= self._next[task_id]:
            self._next[task_id] = time.monotonic() + EVERY
            print(told(task, self.unit), file=sys.stderr, flush=True)


def told(task: Task, unit: str) -> str:
    """Return how far a task is, as a line: items, rate, time that is left or that it took."""
    seconds = task.elapsed or 0.0
    done_here = task.completed - task.fields.get("began", 0)  # not by an earlier start
    rate = done_here / seconds if seconds else 0.0
    line = f"{task.description}: {task.completed:.0f} of {task.total or 0:.0f} {unit}"
    if task.finished:
        return f"{line} in {clock(seconds)}"
    left = ((task.total or 0) - task.completed) / rate if rate else 0.0
    speed = f"{rate:.2f} {unit}/s" if rate >= 1 or not rate else f"{1 / rate:.1f} s each"
    return f"{line}, {speed}, {clock(left)} left"


def clock(seconds: float) -> str:
    """Return a time as a person says it: 45 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def progress(unit: str) -> Progress:
    """Return a progress bar on stderr with items a second and the time left;
    lines where there is no terminal.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        return Lines(unit)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
