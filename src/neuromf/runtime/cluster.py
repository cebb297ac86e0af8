"""Any command as a job of a SLURM cluster: a script to read, or a job that submitit submits; a
requeued job resumes.
"""

from __future__ import annotations

import importlib
import shlex
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.runtime.run import Stopped

WARNING_SECONDS = 180  # before a job's time is over
SCRIPT = """\
#!/bin/bash
{header}
# {warning} s before the time is over SLURM sends USR1. A training saves and exits with 0, another
# command ends; the job queues itself again and resumes.
cd {cwd}
{setup}mkdir -p {folder}
cat > {config} <<'YAML'
{yaml}YAML
srun --kill-on-bad-exit=1 {python} -m neuromf.cli {verb} {config} out={out} --resume
status=$?
interrupted=$(grep -c '"state": "interrupted"' {out}/run.json)
if [ $status = 138 ] || [ "$status $interrupted" = "0 1" ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
"""


@dataclass(frozen=True)
class Slurm:
    """The job that launch=slurm submits and launch=print shows."""

    partition: str = ""
    account: str = ""
    hours: float = 24.0
    memory_gb: int = 64  # per node
    cpus: int = 8  # per process
    gpus: bool = True  # one per process
    setup: str = ""  # a line of shell before the command, such as `module load cuda`

    def __post_init__(self) -> None:
        if not self.hours > 0 or self.memory_gb < 1 or self.cpus < 1:
            raise ValueError(
                f"hours {self.hours}, memory_gb {self.memory_gb}, cpus {self.cpus}: above 0"
            )


@dataclass(frozen=True)
class Launch:
    """Where a command runs: a word of the command line as out= is, no part of what it does."""

    launch: Literal["here", "slurm", "print"] = "here"
    slurm: Slurm = field(default_factory=Slurm)


@dataclass(frozen=True)
class Job:
    """A command with its resolved configuration.

    Where the configuration has `nodes` and `devices`, the job has as many processes. submitit
    calls it: when its time is over, or its node is taken, it queues itself again and resumes.
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
        """Run the command, or resume it."""
        module = importlib.import_module(self.module)
        try:
            return str(module.run(self.config, self.out, resume=True))
        except Stopped:
            # The command took submitit's signal and saved; now it is submitit's turn.
            signal.raise_signal(signal.SIGUSR2)
            raise

    def checkpoint(self) -> Any:
        """Return what to submit again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def launch(job: Job, where: Launch, *, overwrite: bool) -> str:
    """Show or submit a job and return what to print. Raises ConfigError or ValueError where that
    cannot be done here.
    """
    if overwrite:
        raise ConfigError(
            "--overwrite does not go with launch=: delete the folder, or give another out="
        )
    if where.launch == "print":
        return script(job, where.slurm)
    return submit(job, where.slurm)


def script(job: Job, slurm: Slurm) -> str:
    """Return an sbatch script that runs a command, as many times as it takes."""
    out, (nodes, processes) = job.out.resolve(), job.processes
    options = {
        "job-name": shlex.quote(f"neuromf-{out.name}"),
        "nodes": nodes,
        "ntasks-per-node": processes,
        "cpus-per-task": slurm.cpus,
        "mem": f"{slurm.memory_gb}G",
        "time": clock(slurm.hours),
        "signal": f"USR1@{WARNING_SECONDS}",
        "open-mode": "append",
    }
    if slurm.gpus:
        options["gpus-per-node"] = processes
    named = {"partition": slurm.partition, "account": slurm.account}
    options |= {k: v for k, v in named.items() if v}
    header = "\n".join(f"#SBATCH --{name}={value}" for name, value in options.items())

    return SCRIPT.format(
        header=f"{header}\n#SBATCH --requeue",
        warning=WARNING_SECONDS,
        setup=f"{slurm.setup}\n" if slurm.setup else "",
        cwd=shlex.quote(str(Path.cwd())),
        folder=shlex.quote(str(out.parent)),
        config=shlex.quote(f"{out}.yaml"),
        yaml=to_yaml(job.config),
        python=shlex.quote(sys.executable),
        verb=job.verb,
        out=shlex.quote(str(out)),
    )


def submit(job: Job, slurm: Slurm, cluster: str = "slurm") -> str:
    """Submit a job with submitit and return where to look. Raises ValueError where that cannot be
    done here.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "launch=slurm needs submitit: pip install 'neuromf[slurm]', or launch=print"
        ) from None
    out = job.out.resolve()
    folder = out.with_name(f"{out.name}-slurm")
    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster=cluster, slurm_max_num_timeout=10_000
        )
    except RuntimeError as error:
        raise ValueError(f"launch=slurm: {error}; launch=print shows a script for sbatch") from None

    executor.update_parameters(timeout_min=int(slurm.hours * 60), name=f"neuromf-{out.name}")
    if cluster == "slurm":
        executor.update_parameters(**_parameters(job, slurm))
    submitted = executor.submit(Job(job.verb, job.module, job.config, out))
    return f"job {submitted.job_id}: {folder}; the run is {job.out}"


def _parameters(job: Job, slurm: Slurm) -> dict[str, Any]:
    """Return what submitit is told of a SLURM job."""
    nodes, processes = job.processes
    extra = {"slurm_partition": slurm.partition, "slurm_account": slurm.account}
    return {
        "slurm_signal_delay_s": WARNING_SECONDS,
        "nodes": nodes,
        "tasks_per_node": processes,
        "cpus_per_task": slurm.cpus,
        "mem_gb": slurm.memory_gb,
        **({"gpus_per_node": processes} if slurm.gpus else {}),
        **({"slurm_setup": [slurm.setup]} if slurm.setup else {}),
        **{k: v for k, v in extra.items() if v},
    }


def clock(hours: float) -> str:
    """Return hours as SLURM writes them, H:MM:00."""
    minutes = round(hours * 60)
    return f"{minutes // 60}:{minutes % 60:02d}:00"
