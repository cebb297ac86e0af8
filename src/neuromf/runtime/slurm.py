"""What a job asks of SLURM: the settings slurm.*, and the options of sbatch that they become."""

from __future__ import annotations

import math
import re
import shlex
import sys
from dataclasses import dataclass

EARLY_SECONDS = 60  # SLURM may send a signal so much earlier than asked
OPTION = re.compile(r"--(?P<name>[a-z][a-z0-9-]*)(=(?P<value>\S[^\n\r]*))?")
OWN = {  # options that keys give
    "partition": "slurm.partition",
    "account": "slurm.account",
    "qos": "slurm.qos",
    "constraint": "slurm.constraint",
    "time": "slurm.hours",
    "mem": "slurm.memory_gb",
    "cpus-per-task": "slurm.cpus",
    "gpus-per-node": "slurm.gpus",
    "gres": "slurm.gres",
    "output": "slurm.logs",
    "error": "slurm.logs",
    "signal": "slurm.warning_seconds",
    "nodes": "nodes",
    "ntasks-per-node": "devices",
    "job-name": "out",
}
FIXED = ("array", "requeue", "no-requeue", "open-mode")  # options that resuming relies on


@dataclass(frozen=True)
class Slurm:
    """The job that launch=slurm submits and launch=print shows."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    constraint: str = ""  # features of the nodes, such as `a100|h100`
    hours: float = 24.0
    memory_gb: int = 64  # per node
    cpus: int = 8  # per process
    gpus: bool = True  # one per process
    gres: str = ""  # per node, in place of gpus, such as `gpu:a100:4`
    extra: tuple[str, ...] = ()  # further options of sbatch, such as `--mail-type=END`
    setup: str = ""  # lines of shell before the command, such as `module load cuda`
    container: str = ""  # an image for apptainer, with neuromf installed
    logs: str = ""  # folder for what jobs print
    warning_seconds: int = 180  # how long before its time limit a job is told to save

    def __post_init__(self) -> None:
        if (
            not 0 < self.hours < math.inf
            or self.memory_gb < 1
            or self.cpus < 1
            or self.warning_seconds < 1
        ):
            raise ValueError(
                f"hours {self.hours}, memory_gb {self.memory_gb}, cpus {self.cpus}, "
                f"warning_seconds {self.warning_seconds}: above 0, and hours finite"
            )
        shortest = self.warning_seconds + EARLY_SECONDS
        if self.hours * 3600 <= shortest:
            raise ValueError(
                f"hours {self.hours:g} are {self.hours * 3600:.0f} s, but the job is warned up to "
                f"{shortest} s before they are over (warning_seconds {self.warning_seconds}, and "
                f"SLURM may send the signal {EARLY_SECONDS} s early): more hours, or a later "
                "warning"
            )
        for option in self.extra:
            _check_option(option)

    @property
    def minutes(self) -> int:
        """The time limit; SLURM counts in minutes."""
        return round(self.hours * 60)

    def options(self, processes: int) -> dict[str, str | int]:
        """Return the options of sbatch, by name, for a job with `processes` processes per node,
        without `extra`.
        """
        gpus = processes if self.gpus and not self.gres else 0
        wanted: dict[str, str | int] = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "constraint": self.constraint,
            "gres": self.gres,
            "gpus-per-node": gpus,
        }
        return {name: value for name, value in wanted.items() if value}

    def further(self) -> dict[str, str | bool]:
        """Return `extra` by name; True for an option without a value."""
        found = [OPTION.fullmatch(option) for option in self.extra]
        return {m["name"]: m["value"] or True for m in found if m}

    def srun_options(self) -> list[str]:
        """Return the options of srun: one process that fails ends the others, and each has its
        cores, which srun does not take from sbatch since SLURM 22.05.
        """
        return ["--kill-on-bad-exit=1", f"--cpus-per-task={self.cpus}"]

    def python(self) -> str:
        """Return the shell's words for Python: this one, or that of the container.

        `apptainer exec` needs nothing of SLURM, where `srun --container-image` needs the plugin
        pyxis.
        """
        if not self.container:
            return shlex.quote(sys.executable)
        gpus = " --nv" if self.gpus or self.gres.startswith("gpu") else ""
        return f"apptainer exec{gpus} {shlex.quote(self.container)} python3"


def _check_option(option: str) -> None:
    """Raise ValueError for what is not an option of sbatch, or for one that has its own key."""
    found = OPTION.fullmatch(option)
    if not found:
        raise ValueError(
            f"extra {option!r}: one option of sbatch each, as --name=value or --name: "
            "slurm.extra=[--mail-type=END,--exclusive]"
        )
    if found["name"] in OWN:
        raise ValueError(f"extra {option!r}: the key for it is {OWN[found['name']]}")
    if found["name"] in FIXED:
        raise ValueError(f"extra {option!r}: a job that resumes needs its own --{found['name']}")
