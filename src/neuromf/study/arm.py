"""One arm of a study: its steps one after another, in a process of its own.

python -m neuromf.study.arm STUDY NAME
"""

from __future__ import annotations

import importlib
import logging
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from neuromf.invoke import schema_of
from neuromf.runtime.config import load
from neuromf.runtime.files import write_text
from neuromf.runtime.lock import LockedError, lock
from neuromf.runtime.records import read_json_object
from neuromf.runtime.run import Stopped
from neuromf.runtime.signals import REQUESTS
from neuromf.study.folder import LINES, LOG, arm_folder, read_state, read_table, write_state
from neuromf.verbs import VERBS

log = logging.getLogger("neuromf")
# Exit codes of an arm's process.
FINISHED, FAILED, AGAIN, HELD = 0, 1, 85, 75
FAILED_ITEMS = ".failed"  # arms/NAME/STEP.failed: how many items of a step failed


def run_arm(study: Path, name: str) -> int:
    """Run the steps of an arm that are not done, and say in its state.json how that went; return
    an exit code: FINISHED, FAILED, AGAIN where a signal ended it, HELD where another process runs
    it.
    """
    folder, steps = arm_folder(study, name), read_table(study).steps
    try:
        with lock(folder):
            if read_state(folder).state == "finished":
                return FINISHED
            return _attempt(folder, steps)
    except LockedError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return HELD


def _attempt(folder: Path, steps: dict[str, str]) -> int:
    """Run an arm whose folder this process holds."""
    before, started = read_state(folder), time.monotonic()
    state = before.begun(next(iter(steps)))

    def passed() -> float:
        return round(before.seconds + time.monotonic() - started, 2)

    try:
        with listening():
            for step, verb in steps.items():
                state = replace(state, step=step, seconds=passed())
                write_state(folder, state)
                run_step(folder, step, verb)
    except (Stopped, KeyboardInterrupt):
        write_state(folder, replace(state, state="stopped", seconds=passed()))
        return AGAIN
    except Exception as error:
        traceback.print_exc()
        lines = f"{step}: {type(error).__name__}: {error}".splitlines()[:LINES]
        state = replace(state, state="failed", failures=state.failures + 1, error=lines)
        write_state(folder, replace(state, seconds=passed()))
        return FAILED
    write_state(folder, replace(state, state="finished", seconds=passed()))
    return FINISHED


def run_step(folder: Path, step: str, verb: str) -> None:
    """Run one step in FOLDER/STEP, or resume it; one that is finished stays. Raises what the verb
    raises, and ValueError where some of its items failed: the next attempt tries those again.
    """
    out, incomplete = folder / step, folder / f"{step}{FAILED_ITEMS}"
    if is_finished(out) and not incomplete.exists():
        return
    config = load(schema_of(VERBS[verb]), [str(folder / f"{step}.yaml")], verb)
    failed = importlib.import_module(VERBS[verb].module).run(config, out, resume=True)
    if isinstance(failed, int) and failed > 0:
        write_text(incomplete, f"{failed}\n")  # run.json calls such a run finished
        listed = out / "rejected.csv"
        where = listed if listed.is_file() else folder / LOG
        raise ValueError(f"{failed} items failed: {where} names them")
    incomplete.unlink(missing_ok=True)


def is_finished(out: Path) -> bool:
    """Return True for the folder of a run that has ended well."""
    try:
        return read_json_object(out / "run.json").get("state") == "finished"
    except (OSError, ValueError):
        return False


@contextmanager
def listening() -> Iterator[None]:
    """Let signals that ask a job to end do what Ctrl-C does, where the verb does not listen
    itself.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.signal(number, stop) for number in REQUESTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(words: list[str]) -> int:
    """Run the arm that the command line names, a study's folder and the arm's name; return AGAIN
    too where it failed no more often than it may.
    """
    if len(words) not in {2, 3}:
        print("usage: python -m neuromf.study.arm STUDY NAME [RETRIES]", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    study, name, retries = Path(words[0]), words[1], int(words[2]) if len(words) > 2 else 0
    if not name or not arm_folder(study, name).is_dir():
        print(
            f"{name!r} is no arm of {study}: {study / 'arms'} has no such folder", file=sys.stderr
        )
        return 2
    code = run_arm(study, name)
    failed = code == FAILED and read_state(arm_folder(study, name)).failures <= retries
    return AGAIN if failed else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
