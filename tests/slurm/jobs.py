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

SMALL = Slurm(hours=1, memory_gb=1, cpus=1, gpus=False, warning_seconds=45)


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

    @contextlib.contextmanager
    def held(self, rows: int) -> Iterator[int]:
        """Stop the training's process (yielded) once its log has so many rows, while the body
        runs, which is to end it: that happens in the middle, however fast the machine is.
        """
        wait(f"{rows} rows of {self.out}", lambda: len(self.updates) >= rows, every=0.05)
        process = self.record["process"]
        os.kill(process, signal.SIGSTOP)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        wait(f"the end of process {process}", lambda: not Path(f"/proc/{process}").exists())

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


def commands() -> list[str]:
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def is_pending(process: int, number: int) -> bool:
    """Return True if a stopped process has a signal to take."""
    status = Path(f"/proc/{process}/status").read_text()
    masks = [line.split()[1] for line in status.splitlines() if "Pnd:" in line]
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def submitted(job: Job, how: str, **settings) -> Submitted:
    """Submit a job one way or the other: `print` or `slurm`."""
    logs = str(job.out.with_name(f"{job.out.name}-logs"))
    return Submitted(job.out, "", job, how, replace(SMALL, logs=logs, **settings)).submit()


def scontrol(*words: str) -> None:
    """Change something; asked again where SLURM is busy with the job."""

    def done() -> bool:
        return subprocess.run(["scontrol", *words], check=False).returncode == 0

    wait(f"scontrol {' '.join(words)}", done, 60)
