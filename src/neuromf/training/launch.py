"""Training on a SLURM cluster: a script to read, or a job submitted by submitit; a requeued
job goes on.
"""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from neuromf.runtime.config import to_yaml
from neuromf.runtime.run import Stopped
from neuromf.training.config import TrainConfig, here

WARNING_SECONDS = 180  # before a job's time is over
SCRIPT = """\
#!/bin/bash
{header}
# {warning} s before the time is over SLURM sends USR1: training saves and exits with 0, and the job
# queues itself again.
cd {cwd}
{setup}mkdir -p {folder}
cat > {config} <<'YAML'
{yaml}YAML
srun --kill-on-bad-exit=1 {python} -m neuromf.cli train {config} out={out} --resume
status=$?
if [ $status = 0 ] && grep -q '"state": "interrupted"' {out}/run.json; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
"""


def print_job(config: TrainConfig, out: Path) -> str:
    """Return an sbatch script that runs this training, as many times as it takes."""
    out = out.resolve()
    slurm = config.slurm
    options = {
        "job-name": shlex.quote(f"neuromf-{out.name}"),
        "nodes": config.nodes,
        "ntasks-per-node": config.devices,
        "cpus-per-task": slurm.cpus,
        "mem": f"{slurm.memory_gb}G",
        "time": clock(slurm.hours),
        "signal": f"USR1@{WARNING_SECONDS}",
        "open-mode": "append",
    }
    if slurm.gpus:
        options["gpus-per-node"] = config.devices
    options |= {k: v for k, v in (("partition", slurm.partition), ("account", slurm.account)) if v}
    header = "\n".join(f"#SBATCH --{name}={value}" for name, value in options.items())
    return SCRIPT.format(
        header=f"{header}\n#SBATCH --requeue",
        warning=WARNING_SECONDS,
        setup=f"{slurm.setup}\n" if slurm.setup else "",
        cwd=shlex.quote(str(Path.cwd())),
        folder=shlex.quote(str(out.parent)),
        config=shlex.quote(f"{out}.yaml"),
        yaml=to_yaml(here(config)),
        python=shlex.quote(sys.executable),
        out=shlex.quote(str(out)),
    )


def submit(config: TrainConfig, out: Path, cluster: str = "slurm") -> str:
    """Submit the training with submitit and return where to look. Raises ValueError
    where that cannot be done here.
    """
    try:
        import submitit
    except ImportError:
        raise ValueError(
            "launch=slurm needs submitit: pip install 'neuromf[slurm]', or launch=print"
        ) from None
    folder = out.resolve().with_name(f"{out.name}-slurm")
    slurm = config.slurm
    try:
        executor = submitit.AutoExecutor(
            folder=folder, cluster=cluster, slurm_max_num_timeout=10_000
        )
    except RuntimeError as error:
        raise ValueError(f"launch=slurm: {error}; launch=print shows a script for sbatch") from None
    executor.update_parameters(timeout_min=int(slurm.hours * 60), name=f"neuromf-{out.name}")
    if cluster == "slurm":
        executor.update_parameters(slurm_signal_delay_s=WARNING_SECONDS)
        extra = {
            "slurm_partition": slurm.partition,
            "slurm_account": slurm.account,
            "slurm_setup": [slurm.setup],
        }
        executor.update_parameters(
            nodes=config.nodes,
            tasks_per_node=config.devices,
            cpus_per_task=slurm.cpus,
            mem_gb=slurm.memory_gb,
            **({"gpus_per_node": config.devices} if slurm.gpus else {}),
            **{k: v for k, v in extra.items() if v not in ("", [""])},
        )
    job = executor.submit(Job(here(config), out.resolve()))
    return f"job {job.job_id}: {folder}; the run is {out}"


class Job:
    """What submitit runs. When its time is over, or its node is taken, it saves,
    queues itself again and goes on.
    """

    def __init__(self, config: TrainConfig, out: Path) -> None:
        self.config, self.out = config, out

    def __call__(self) -> str:
        """Train, or go on."""
        from neuromf.training.command import run

        try:
            return str(run(self.config, self.out, resume=True))
        except Stopped:
            # training took submitit's signal and saved; now it is submitit's turn
            signal.raise_signal(signal.SIGUSR2)
            raise

    def checkpoint(self) -> Any:
        """Return what to submit again."""
        import submitit

        return submitit.helpers.DelayedSubmission(self)


def clock(hours: float) -> str:
    """Return hours as SLURM writes them, H:MM:00."""
    minutes = round(hours * 60)
    return f"{minutes // 60}:{minutes % 60:02d}:00"
