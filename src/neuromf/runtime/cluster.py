"""Any command as a job of a SLURM cluster: a script to read, or a job that submitit submits; a
requeued job resumes.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.runtime.run import Stopped
from neuromf.runtime.signals import REQUESTS
from neuromf.runtime.slurm import Slurm

SCRIPT = """\
#!/bin/bash
{header}
# {warning} s before the time is over SLURM sends USR1. A training saves and exits with 0, another
# command ends; the job queues itself again and resumes. scancel ends this script: no requeue.
cd {cwd}
{setup}mkdir -p {folder}
config={folder}/config-"$SLURM_JOB_ID".yaml  # of this job alone: no file of yours is replaced
cat > "$config" <<'YAML'
{yaml}YAML
{srun} {python} -m neuromf.cli {verb} "$config" out={out} --resume
status=$?
interrupted=$(grep -c '^ "state": "interrupted"' {out}/run.json)  # deeper: of earlier starts
if [ $status = 138 ] || [ "$status $interrupted" = "0 1" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
"""
REQUEUE = "{job}.requeue"  # left in submitit's folder by a job that is to be queued again
# Shell code that runs after submitit's srun, and not in the process that was stopped: a container
# may lack scontrol, and scancel ends this shell, so a cancelled job does not queue itself again.
TEARDOWN = """\
status=$?
if [ $status = 140 ] || rm {mark} 2> /dev/null; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
"""


@dataclass(frozen=True)
class Launch:
    """Where a command runs. Like out=, it is given on the command line, not in a configuration."""

    launch: Literal["here", "slurm", "print"] = "here"
    slurm: Slurm = field(default_factory=Slurm)


@dataclass(frozen=True)
class Job:
    """A command with its resolved configuration.

    If the configuration has `nodes` and `devices`, the job has `devices` processes on each of its
    nodes. submitit calls the job; when its time is over, it is queued again and resumes.
    """

    verb: str
    module: str  # holds `run`
    config: Any
    out: Path

    @property
    def processes(self) -> tuple[int, int]:
        """Nodes, and processes of a node."""
        return getattr(self.config, "nodes", 1), getattr(self.config, "devices", 1)

    def __call__(self) -> str:
        """Run the command, or resume it. Raises SystemExit(0) where a signal stopped it."""
        mark = _requeue_mark()
        if mark:
            mark.unlink(missing_ok=True)  # of a start that a lost node ended

        module = importlib.import_module(self.module)
        with _default_signals():
            try:
                return str(module.run(self.config, self.out, resume=True))
            except Stopped as reason:
                print(f"neuromf: {reason} in {self.out}", file=sys.stderr)
        if mark:
            mark.touch()
        # No result for submitit, and exit code 0: on a failure srun would end the other processes.
        raise SystemExit(0)

    def checkpoint(self) -> Any:
        """Return what to submit again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def _requeue_mark() -> Path | None:
    """Return the file by which the first process of submitit's job asks to be queued again."""
    folder, job = os.environ.get("SUBMITIT_FOLDER"), os.environ.get("SLURM_JOB_ID")
    if not folder or not job or os.environ.get("SLURM_PROCID", "0") != "0":
        return None
    return Path(folder) / REQUEUE.format(job=job)


@contextlib.contextmanager
def _default_signals() -> Iterator[None]:
    """Restore the default action of signals while the body runs, in which the command may install
    handlers of its own. submitit's handlers call scontrol from within the process, and ignore
    SIGTERM.
    """
    answered = [n for n in REQUESTS if n != getattr(signal, "SIGUSR1", None)]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in answered}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def launch(job: Job, where: Launch, *, overwrite: bool) -> str:
    """Show or submit a job and return what to print. Raises ConfigError or ValueError where that
    cannot be done here.
    """
    refuse_overwrite(overwrite)
    if where.launch == "print":
        return script(job, where.slurm)
    return "\n".join([*check(job), submit(job, where.slurm)])


def refuse_overwrite(overwrite: bool) -> None:
    """Raise ConfigError where a job is to begin in place of earlier results: they would be deleted
    before it has made others.
    """
    if overwrite:
        raise ConfigError(
            "--overwrite does not go with launch=: delete the folder, or give another out="
        )


def check(job: Job) -> list[str]:
    """Return what the user should know of a job before it waits in a queue: what `check(config)` of
    the verb's module returns, if it has that function. Raises what the command would raise before
    it writes anything.
    """
    module = importlib.import_module(job.module)
    return list(module.check(job.config)) if hasattr(module, "check") else []


def script(job: Job, slurm: Slurm) -> str:
    """Return an sbatch script that runs a command, as many times as it takes."""
    out, (nodes, processes) = job.out.resolve(), job.processes
    options = {"output": f"{logs_of(slurm)}/%x-%j.out"} if slurm.logs else {}
    return SCRIPT.format(
        header=header(slurm, f"neuromf-{out.name}", nodes, processes, options),
        warning=slurm.warning_seconds,
        setup=f"{slurm.setup.rstrip()}\n" if slurm.setup else "",
        cwd=shlex.quote(str(Path.cwd())),
        folder=shlex.quote(str(files_of(out))),
        yaml=to_yaml(job.config),
        srun=shlex.join(["srun", *slurm.srun_options()]),
        python=slurm.python(),
        verb=job.verb,
        out=shlex.quote(str(out)),
    )


def files_of(out: Path) -> Path:
    """Return the folder beside a run's for what its jobs need."""
    return out.with_name(f"{out.name}-slurm")


def header(
    slurm: Slurm, name: str, nodes: int, processes: int, options: Mapping[str, str] | None = None
) -> str:
    """Return the #SBATCH lines of a job on `nodes` nodes with `processes` processes each, and with
    further options. The job is warned before its time is over and may be queued again.
    """
    wanted: dict[str, Any] = {
        "job-name": name,
        "nodes": nodes,
        "ntasks-per-node": processes,
        "cpus-per-task": slurm.cpus,
        "mem": f"{slurm.memory_gb}G",
        "time": clock(slurm.minutes),
        "signal": f"USR1@{slurm.warning_seconds}",
        "open-mode": "append",
        "requeue": True,
        **slurm.options(processes),
        **(options or {}),
        **slurm.further(),
    }
    return "\n".join(_directive(name, value) for name, value in wanted.items())


def _directive(name: str, value: Any) -> str:
    return f"#SBATCH --{name}" + ("" if value is True else f"={shlex.quote(str(value))}")


def logs_of(slurm: Slurm) -> Path:
    """Make the folder `logs` and return it. SLURM does not make it, and a job whose log cannot be
    written ends at once without a message.
    """
    folder = Path(slurm.logs).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def submit(job: Job, slurm: Slurm, cluster: str = "slurm") -> str:
    """Submit a job with submitit and return where to look. Raises ValueError where that cannot be
    done here, or where SLURM refuses it.
    """
    out = job.out.resolve()
    folder = Path(slurm.logs).resolve() if slurm.logs else files_of(out)
    new = not folder.exists()
    executor = executor_of(job, slurm, folder, cluster)
    try:
        submitted = executor.submit(Job(job.verb, job.module, job.config, out))
    except RuntimeError as error:  # what sbatch said
        if new:
            shutil.rmtree(folder, ignore_errors=True)
        raise ValueError(f"launch=slurm: nothing was submitted: {error}") from None
    return f"job {submitted.job_id}: {folder}; the run is {job.out}"


def executor_of(job: Job, slurm: Slurm, folder: Path, cluster: str = "slurm") -> Any:
    """Return submitit's executor for a job, which keeps its files in `folder`. Raises ValueError
    where there is no submitit or no SLURM.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "launch=slurm needs submitit: pip install 'neuromf[slurm]', or launch=print"
        ) from None
    options = {"slurm_python": slurm.python()} if cluster == "slurm" else {}
    try:
        executor = submitit.AutoExecutor(folder=folder, cluster=cluster, **options)
    except RuntimeError as error:
        raise ValueError(f"launch=slurm: {error}; launch=print shows a script for sbatch") from None

    executor.update_parameters(timeout_min=slurm.minutes, name=f"neuromf-{job.out.name}")
    if cluster == "slurm":
        executor.update_parameters(**parameters(job, slurm, folder))
    return executor


def parameters(job: Job, slurm: Slurm, folder: Path) -> dict[str, Any]:
    """Return what submitit is told of a SLURM job whose files are in `folder`."""
    nodes, processes = job.processes
    own = slurm.options(processes)
    mark = shlex.quote(f"{folder}/") + REQUEUE.format(job='"$SLURM_JOB_ID"')
    return {
        "slurm_signal_delay_s": slurm.warning_seconds,
        "nodes": nodes,
        "tasks_per_node": processes,
        "cpus_per_task": slurm.cpus,
        "mem_gb": slurm.memory_gb,
        **{f"slurm_{name.replace('-', '_')}": value for name, value in own.items()},
        "slurm_additional_parameters": {"requeue": True, **slurm.further()},
        "slurm_srun_args": slurm.srun_options(),
        "slurm_teardown": TEARDOWN.format(mark=mark).splitlines(),
        **({"slurm_setup": slurm.setup.splitlines()} if slurm.setup else {}),
    }


def clock(minutes: int) -> str:
    """Return minutes as SLURM writes them, H:MM:00."""
    return f"{minutes // 60}:{minutes % 60:02d}:00"
