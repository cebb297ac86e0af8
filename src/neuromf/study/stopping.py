"""Stopping a study: the process that runs it, its arms, and its jobs."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import subprocess
from pathlib import Path

from neuromf.runtime.lock import is_locked
from neuromf.study.folder import arm_folder, read_table, seen_state

HOLDER = re.compile(r"process (\d+) on (.*)")  # as `runtime.lock` writes it
JOBS = "slurm/jobs.txt"  # ids of the study's arrays, one a line


def stop_study(folder: Path) -> str:
    """Ask what runs of a study to stop, on this machine and on the cluster; return what that was.

    The process of the study goes first, so that it starts no further arm.
    """
    table, said = read_table(folder), []
    if is_locked(folder):
        said.append(_stop_holder(folder))

    stopped = 0
    for row in table.arms:
        state = seen_state(arm_folder(folder, row.name))
        if state.state != "running":
            continue
        if state.host == platform.node():
            stopped += _ask(state.process)
        else:
            said.append(f"{row.name} runs on {state.host}: stop process {state.process} there")
    if stopped:
        said.append(f"{stopped} arms are stopping; --resume goes on with them")
    said += _cancel(folder)
    return "\n".join(said) or f"nothing of {folder} is running"


def _stop_holder(folder: Path) -> str:
    found = HOLDER.match((folder / ".lock").read_text(encoding="utf-8", errors="replace"))
    if not found:
        return f"{folder} is held by an unknown process"
    if found[2] != platform.node():
        return f"the study is run by process {found[1]} on {found[2]}: stop it there"
    _ask(int(found[1]))
    return f"the study's process {found[1]} is stopping"


def _ask(process: int) -> int:
    """Ask a process to end; return how many there were, 0 or 1. On Windows it ends at once."""
    with contextlib.suppress(OSError):
        os.kill(process, signal.SIGTERM)
        return 1
    return 0


def _cancel(folder: Path) -> list[str]:
    """Cancel the study's arrays on the cluster."""
    if not (folder / JOBS).is_file():
        return []
    jobs = (folder / JOBS).read_text(encoding="utf-8").split()
    try:
        subprocess.run(["scancel", *jobs], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or str(error)
        return [f"scancel {' '.join(jobs)} failed: {reason.strip()}"]
    return [f"cancelled: {' '.join(jobs)}"]
