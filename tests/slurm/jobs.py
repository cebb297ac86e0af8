"""A tiny training as a job of the cluster: submitted either way, held still, looked at."""

import contextlib
import csv
import hashlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from neuromf.runtime import cluster
from neuromf.runtime.cluster import Job, Slurm
from slurm.support import called, wait

SMALL = Slurm(hours=1, memory_gb=1, cpus=1, gpus=False, warning_seconds=270)


@dataclass
class Training:
    """A training's folder and its job, `number`, which may be one of an array: 7_2."""

    out: Path
    number: str

    @property
    def facts(self) -> dict[str, str]:
        """Return what SLURM says of the job, such as JobState and Restarts."""
        words = called("scontrol", "show", "job", self.number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    @property
    def state(self) -> str:
        return self.facts["JobState"]

    @property
    def record(self) -> dict:
        """Return run.json."""
        return json.loads((self.out / "run.json").read_text())

    @property
    def updates(self) -> list[int]:
        """Return the updates that log.csv has a row of."""
        log = self.out / "log.csv"
        if not log.is_file():
            return []
        rows = csv.DictReader(log.read_text().splitlines())
        return [int(row["update"]) for row in rows]

    @property
    def weights(self) -> str:
        """Return a hash of the model's file."""
        return hashlib.sha256((self.out / "model" / "model.safetensors").read_bytes()).hexdigest()

    def wait_for_node(self) -> None:
        """Wait until nothing of the job is left on its node: SLURM does not start it twice."""
        mine = f"slurmstepd: [{self.facts['JobId']}."

        def left() -> bool:
            return any(mine in command for command in commands())

        wait(f"the end of {mine}", lambda: not left())

    def wait_for(self, *states: str) -> str:
        """Return the job's state once it is one of these."""

        def reached() -> str:
            state = self.state
            return state if state in states else ""

        return wait(f"job {self.number} to be {' or '.join(states)}", reached)


@dataclass
class Submitted(Training):
    """A training that was submitted one way or the other."""

    job: Job
    how: str  # print or slurm
    slurm: Slurm

    def submit(self) -> "Submitted":
        """Submit it, or submit it again."""
        if self.how == "slurm":
            said = cluster.submit(self.job, self.slurm)
            self.number = said.split()[1].rstrip(":")
        else:
            path = self.out.with_name(f"{self.out.name}.sh")
            path.write_text(cluster.script(self.job, self.slurm))
            self.number = called("sbatch", "--parsable", str(path))
        return self


@contextlib.contextmanager
def held(rows: int, *trainings: Training) -> Iterator[None]:
    """Stop the process of each training once its log has so many rows more than now, while the
    body runs, which is to end them: that happens in the middle, however fast the machine is.
    """
    wanted = {training.number: len(training.updates) + rows for training in trainings}
    stopped: dict[str, int] = {}

    def all_stopped() -> bool:
        for training in trainings:
            if training.number in stopped or len(training.updates) < wanted[training.number]:
                continue
            stopped[training.number] = training.record["process"]
            os.kill(stopped[training.number], signal.SIGSTOP)
        return len(stopped) == len(trainings)

    wait(f"{rows} rows of {[t.out.name for t in trainings]}", all_stopped, every=0.05)
    try:
        yield
    finally:
        for process in stopped.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
    for process in stopped.values():
        wait_for_end(process)


def wait_for_end(process: int) -> None:
    """Wait until a process is gone."""
    wait(f"the end of process {process}", lambda: not Path(f"/proc/{process}").exists())


def commands() -> list[str]:
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def submitted(job: Job, how: str, **settings) -> Submitted:
    """Submit a job one way or the other: `print` or `slurm`."""
    logs = str(job.out.with_name(f"{job.out.name}-logs"))
    return Submitted(job.out, "", job, how, replace(SMALL, logs=logs, **settings)).submit()


def end_soon(training: Training) -> None:
    """Let a held job come to its time limit. SLURM looks every 30 s; with its warning it wakes the
    process, which has the rest of the time to save, however slow the machine is.
    """
    end = f"EndTime=now+{SMALL.warning_seconds + 30}"
    scontrol("update", f"jobid={training.number}", end)
    wait_for_end(training.record["process"])


def scontrol(*words: str) -> None:
    """Change something; asked again where SLURM is busy with the job."""

    def done() -> bool:
        return subprocess.run(["scontrol", *words], check=False).returncode == 0

    wait(f"scontrol {' '.join(words)}", done, 60)
