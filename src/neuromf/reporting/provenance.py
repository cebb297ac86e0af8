"""The provenance of a page: what was run, when, with which versions, and how to run it again."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from neuromf.runtime.records import read_json_object
from neuromf.runtime.run import provenance

STARTED = "%Y-%m-%dT%H:%M:%S%z"  # as run.json has it
COMMIT = 12  # characters of a git commit that are shown


@dataclass(frozen=True)
class Provenance:
    """What a page says about the run that it shows."""

    verb: str  # empty where no verb was run
    command: str  # as typed
    again: str  # the command that repeats the run into another folder
    started: datetime
    seconds: float  # of all starts, up to now where the run is under way
    earlier: int  # starts before this one
    version: str  # of NeuroMF
    commit: str  # of a git checkout, with a remark where files were changed
    software: str  # Python and packages, with versions
    platform: str

    @property
    def date(self) -> str:
        """When the run was started, as text."""
        offset = f"{self.started:%z}"
        zone = f"UTC{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "UTC"
        return f"{self.started.day} {self.started:%B %Y, %H:%M} {zone}"

    @property
    def duration(self) -> str:
        """How long the run took, as text."""
        return in_words(self.seconds)


def read_provenance(folder: Path) -> Provenance:
    """Return what run.json in a run's folder says; for a folder without one, which no verb wrote,
    what this process knows.
    """
    path = folder / "run.json"
    record = read_json_object(path) if path.is_file() else provenance() | {"command": sys.argv}

    verb = record.get("verb") or ""
    versions = {str(name): str(version) for name, version in record["versions"].items()}
    version = versions.pop("neuromf", "unknown")
    software = {"Python": record.get("python", ""), **versions}
    earlier = record.get("earlier", [])
    return Provenance(
        verb=verb,
        command=_command(record, verb),
        again=_again(folder, verb),
        started=datetime.strptime(record["started"], STARTED),
        seconds=_seconds(record) + sum(e.get("seconds", 0) for e in earlier),
        earlier=len(earlier),
        version=version,
        commit=_commit(record.get("git", {})),
        software=", ".join(f"{name} {version}" for name, version in software.items() if version),
        platform=record.get("platform", ""),
    )


def in_words(seconds: float) -> str:
    """Return a duration such as `12 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _command(record: dict[str, Any], verb: str) -> str:
    """Return the command line, with the program's name instead of its path."""
    program, *words = record.get("command") or [""]
    if verb and words[:1] == [verb]:
        program = "neuromf"
    return shlex.join([program, *words])


def _again(folder: Path, verb: str) -> str:
    if not verb:
        return ""
    beside = folder / ".." if folder.name in ("", "..") else folder.parent  # out=. has no name
    out = beside / f"{folder.resolve().name}-again"
    return shlex.join(["neuromf", verb, str(folder / "config.yaml"), f"out={out}"])


def _seconds(record: dict[str, Any]) -> float:
    """Return the seconds that a start took, or has taken so far."""
    if "seconds" in record:
        return float(record["seconds"])
    return max(0.0, time.time() - datetime.strptime(record["started"], STARTED).timestamp())


def _commit(git: dict[str, Any]) -> str:
    if not git:
        return ""
    return git["commit"][:COMMIT] + (", with changes" if git.get("changed") else "")
