"""A study on a SLURM cluster: arrays of jobs, one arm each."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from neuromf.runtime.cluster import header, logs_of
from neuromf.runtime.files import write_text
from neuromf.runtime.slurm import Slurm
from neuromf.study.arm import AGAIN
from neuromf.study.stopping import JOBS

LARGEST = 1000  # jobs of an array: SLURM's MaxArraySize is 1001, if nobody has changed it
SCRIPT = """\
#!/bin/bash
{header}
# One arm a job. {warning} s before the time is over SLURM sends USR1: the arm saves, and the job
# queues itself again and resumes, as it does where an arm is to be tried again.
cd {cwd}
{setup}name=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {names})
[ -n "$name" ] || {{ echo "no line $((SLURM_ARRAY_TASK_ID + 1)) in" {names} >&2; exit 1; }}
{srun} {python} -m neuromf.study.arm {folder} "$name" {retries}
status=$?
if [ $status = {again} ] || [ $status = 138 ]; then  # 138: ended by USR1, before it listened
  scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
fi
exit $status
"""


def write_arrays(
    folder: Path, names: Sequence[str], slurm: Slurm, throttle: int, retries: int
) -> list[Path]:
    """Write an sbatch script for every thousand arms into FOLDER/slurm, with the list of its arms
    beside it; at most `throttle` of its jobs run at once. Return the scripts.

    Every call writes files of new names: jobs of earlier arrays that wait, or are queued again,
    find their arms in their own lists.
    """
    scripts = []
    place = folder / "slurm"
    place.mkdir(exist_ok=True)
    submission = 1 + max((_submission(path) for path in place.glob("arms-*.txt")), default=0)
    for number, start in enumerate(range(0, len(names), LARGEST), 1):
        part = names[start : start + LARGEST]
        arms = place / f"arms-{submission}-{number}.txt"
        path = place / f"array-{submission}-{number}.sh"
        write_text(arms, "".join(f"{name}\n" for name in part))
        write_text(path, script(folder, arms, len(part), slurm, throttle, retries))
        scripts.append(path)
    return scripts


def _submission(path: Path) -> int:
    """Return the number of the submission that a list of arms is of, arms-SUBMISSION-PART.txt; 0
    for one of an earlier version, which wrote arms-PART.txt.
    """
    first, _, part = path.stem.removeprefix("arms-").partition("-")
    return int(first) if first.isdigit() and part.isdigit() else 0


def script(folder: Path, arms: Path, count: int, slurm: Slurm, throttle: int, retries: int) -> str:
    """Return an sbatch script of an array of `count` jobs: the arms that the file `arms` lists."""
    limit = f"%{throttle}" if throttle else ""
    logs = logs_of(slurm) if slurm.logs else (folder / "slurm").resolve()
    options = {"array": f"0-{count - 1}{limit}", "output": f"{logs}/%A_%a.out"}
    return SCRIPT.format(
        header=header(slurm, f"neuromf-{folder.resolve().name}", 1, 1, options),
        warning=slurm.warning_seconds,
        cwd=shlex.quote(str(Path.cwd())),
        setup=f"{slurm.setup.rstrip()}\n" if slurm.setup else "",
        names=shlex.quote(str(arms.resolve())),
        srun=shlex.join(["srun", *slurm.srun_options()]),
        python=slurm.python(),
        folder=shlex.quote(str(folder.resolve())),
        retries=retries,
        again=AGAIN,
    )


def submit(folder: Path, scripts: Sequence[Path]) -> list[str]:
    """Submit arrays, each after the one before it, so that together they keep the limit of one;
    return their ids. Raises ValueError where there is no SLURM, or it refuses one.
    """
    known = folder / JOBS  # with those of earlier starts, which may still wait in the queue
    earlier = known.read_text(encoding="utf-8").split() if known.is_file() else []
    jobs: list[str] = []
    for path in scripts:
        after = [f"--dependency=afterany:{jobs[-1]}"] if jobs else []
        jobs.append(_sbatch([*after, str(path)]))
        write_text(known, "".join(f"{job}\n" for job in [*earlier, *jobs]))
    return jobs


def _sbatch(words: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            ["sbatch", "--parsable", *words], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise ValueError(
            "launch=slurm: there is no sbatch on this machine; launch=print shows the scripts, "
            "without launch= the study runs here"
        ) from None
    if done.returncode:
        raise ValueError(f"sbatch refuses {words[-1]}: {done.stderr.strip()}")
    return done.stdout.strip().partition(";")[0]


def told(scripts: Sequence[Path]) -> str:
    """Return the scripts as launch=print shows them, and how to submit them."""
    texts = [path.read_text(encoding="utf-8") for path in scripts]
    lines = [f"sbatch --parsable {path}" for path in scripts]
    return "\n".join([*texts, "# to submit:", *(f"# {line}" for line in lines)])
