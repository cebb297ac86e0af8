"""`neuromf sweep`: a grid of runs, on this machine or as an array of jobs."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.live import Live

from neuromf.runtime.cluster import Launch, refuse_overwrite
from neuromf.runtime.folders import local_path
from neuromf.runtime.progress import EVERY
from neuromf.runtime.run import open_run
from neuromf.study.arm import listening
from neuromf.study.arms import planned, read_steps
from neuromf.study.array import submit, told, write_arrays
from neuromf.study.checking import check_arms
from neuromf.study.config import SweepConfig
from neuromf.study.estimate import Estimates, plan_table
from neuromf.study.folder import Table, write_table
from neuromf.study.pool import Pool, Share, threads
from neuromf.study.status import Teller, drawn, failures, headline, standing, standings
from neuromf.study.stopping import stop_study
from neuromf.study.written import OUTPUT, replaceable
from neuromf.verbs import VERBS

log = logging.getLogger("neuromf")
REFRESH = 1.0  # seconds between two tables on a terminal


def run(config: SweepConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Run all arms of a study in `out`, as many at once as there is room for, and return how many
    failed.

    An arm that has finished stays, one that was stopped goes on, one that failed is tried again.
    SIGTERM stops the study as Ctrl-C does, after the arms that run have saved. Raises ConfigError
    where the grid is wrong, before anything is made, and ValueError where the first arms all fail
    alike.
    """
    arms = planned(config)
    share = Share.of(config)
    steps = {s.name: s.verb for s in read_steps(config.steps)}
    output = replaceable(out, steps) if overwrite else OUTPUT
    with open_run(out, config, output, (), resume=resume, overwrite=overwrite):
        table = write_table(out, arms, steps)
        print(f"{len(arms)} arms, {share.workers} at once with {share.threads} threads each")
        with listening(), telling(out, table, share.workers) as tell:
            modules = {VERBS[verb].module for verb in table.steps.values()}
            pool = Pool(out, share, config.retries, tell, sorted(modules))
            pool.run([arm.name for arm in arms])
        found = Teller(out, table, share.workers, 0).found()
        for line in failures(found):
            print(line, file=sys.stderr)

    print(f"{headline(found)}; neuromf tabulate study={out}")
    return sum(s.state.state == "failed" for s in found)


def launch(config: SweepConfig, out: Path, where: Launch, *, resume: bool, overwrite: bool) -> str:
    """Write a study into `out` and submit its arms that have not finished as arrays of jobs, or
    show the scripts; return what to print. Raises ValueError where there is no SLURM, or an arm
    would end before it makes anything, and ConfigError for `overwrite`.
    """
    refuse_overwrite(overwrite)
    arms, steps = planned(config), {s.name: s.verb for s in read_steps(config.steps)}
    known = check_arms(arms, steps) if where.launch == "slurm" else []
    with open_run(out, config, OUTPUT, (), resume=resume):
        table = write_table(out, arms, steps)
        done = {s.name for s in standings(out, table) if s.state.state in {"finished", "running"}}
        names = [arm.name for arm in arms if arm.name not in done]
        scripts = write_arrays(out, names, where.slurm, config.throttle, config.retries)
        if where.launch == "print":
            return told(scripts)
        jobs = submit(out, scripts)
    submitted = (
        f"{len(names)} arms as {', '.join(jobs) or 'no job'}: neuromf sweep status {out}; "
        f"neuromf sweep stop {out}"
    )
    return "\n".join([*known, submitted])


def plan(config: SweepConfig) -> str:
    """Return a table of all arms with what each takes, by the measurement of a short run."""
    arms, steps = planned(config), {s.name: s.verb for s in read_steps(config.steps)}
    share = Share.of(config)
    with Estimates() as estimates, threads(share.threads):
        groups = {arm.group: arm for arm in arms}  # seeds cost the same
        of_group = {name: estimates.of(arm, steps) for name, arm in groups.items()}
    costs = {arm.name: of_group[arm.group] for arm in arms}
    unmeasured = [step for step in steps if not any(step in cost for cost in costs.values())]
    return plan_table(costs, share, unmeasured)


@contextlib.contextmanager
def telling(out: Path, table: Table, workers: int) -> Iterator[Callable[[], None]]:
    """Give a function that tells how far the study is when it is time."""
    console = Console(stderr=True)
    teller = Teller(out, table, workers, REFRESH if console.is_terminal else EVERY)
    if not console.is_terminal:
        teller.due()  # the first line after a while

        def line() -> None:
            if teller.due():
                print(headline(teller.found(), workers), file=sys.stderr, flush=True)

        yield line
        return

    with Live(console=console, auto_refresh=False, transient=True) as live:

        def refresh() -> None:
            if teller.due():
                live.update(drawn(teller.found(), workers, console.height - 8), refresh=True)

        yield refresh


def status(words: Sequence[str]) -> str:
    """Return where the arms of the study in the folder that `words` names stand."""
    return standing(study_folder("status", words))


def stop(words: Sequence[str]) -> str:
    """Stop the study in the folder that `words` names, and the arms that run; each saves where it
    can. Return what was stopped.
    """
    return stop_study(study_folder("stop", words))


def study_folder(action: str, words: Sequence[str]) -> Path:
    """Return the folder that the words of an action name. Raises ValueError for other words."""
    if len(words) != 1:
        raise ValueError(f"neuromf sweep {action} FOLDER: one folder that `neuromf sweep` wrote")
    return local_path(words[0].removeprefix("out="))
