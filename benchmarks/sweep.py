"""What a study costs beside its arms, and what kills do to it.

    python benchmarks/sweep.py [--kills 10] [--arms 200] [--out benchmarks/results/sweep.json]

Three parts: (1) planning, writing and reading back studies of 1000 and 10,000 arms, whose states
are written as their jobs would; (2) the time between the arms of a pool of one worker, beside the
arms' own; (3) a study of `--arms` trainings on the torus whose parent is killed with SIGKILL at
random moments: every arm has to end finished, in one attempt.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import CPU, hardware
from neuromf.runtime.files import write_json
from neuromf.study.arms import planned
from neuromf.study.config import SweepConfig
from neuromf.study.folder import State, arm_folder, read_state, read_table, write_state, write_table
from neuromf.study.status import standing

ARM = "arms.r4-x"
QUICK = ["toy", "preset=quick", "only=[r4-x]", f"{ARM}.steps=2", f"{ARM}.samples=64"]


def scale(folder: Path, n: int) -> dict[str, float]:
    """Return the seconds to plan, write and show a study of n arms, of ten seeds each."""
    values = [1e-3 * (1 + i / n) for i in range(n // 10)]
    config = SweepConfig({"toy": QUICK}, {f"toy.{ARM}.lr": values}, tuple(range(10)))
    started = time.perf_counter()
    arms = planned(config)
    planning = time.perf_counter() - started

    started = time.perf_counter()
    write_table(folder, arms, {"toy": "toy"})
    writing = time.perf_counter() - started
    for arm in arms:
        write_state(arm_folder(folder, arm.name), State("finished", 1, step="toy", seconds=60.0))

    started = time.perf_counter()
    standing(folder)
    showing = time.perf_counter() - started
    size = sum(p.stat().st_blocks * 512 for p in folder.rglob("*"))
    files = sum(1 for _ in folder.rglob("*"))
    return {"arms": n, "plan_s": planning, "write_s": writing, "status_s": showing,
            "files": files, "disk_mb": size / 1e6}  # fmt: skip


def study_file(folder: Path, arms: int, epochs: int) -> Path:
    """Write a study of so many trainings on the torus."""
    path = folder / "study.yaml"
    words = ", ".join(f'"{w}"' for w in [*QUICK, f"{ARM}.epochs={epochs}"])
    path.write_text(f"steps: {{toy: [{words}]}}\nseeds: {list(range(arms))}\n")
    return path


def sweep(path: Path, out: Path, *words: str) -> subprocess.Popen[bytes]:
    """Start a study."""
    command = [sys.executable, "-m", "neuromf.cli", "sweep", str(path), f"out={out}", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def overhead(folder: Path, arms: int, epochs: int) -> dict[str, float]:
    """Return what a pool of one worker adds to the arms' own seconds: once, and an arm."""
    few, many = (_added(folder / str(n), n, epochs) for n in (2, arms))
    each = (many[0] - few[0]) / (arms - 2)
    return {"arms": arms, "arm_s": many[1], "added_each_s": each, "added_once_s": few[0] - 2 * each}


def _added(folder: Path, arms: int, epochs: int) -> tuple[float, float]:
    """Return the seconds that a study took beside its arms, and the mean of an arm."""
    folder.mkdir()
    path, out = study_file(folder, arms, epochs), folder / "x"
    started = time.perf_counter()
    if sweep(path, out, "workers=1").wait():
        raise SystemExit("the study failed")
    whole = time.perf_counter() - started
    own = [read_state(arm_folder(out, r.name)).seconds for r in read_table(out).arms]
    return whole - sum(own), sum(own) / arms


def kills(folder: Path, arms: int, times: int, seed: int) -> dict[str, float]:
    """Kill the parent of a study again and again; return how its arms ended."""
    path, out, draw = study_file(folder, arms, 4), folder / "x", random.Random(seed)
    started = time.perf_counter()
    for _ in range(times):
        process = sweep(path, out, "--resume")
        time.sleep(draw.uniform(4, 25))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    if sweep(path, out, "--resume").wait():
        raise SystemExit("the study failed")

    states = [read_state(arm_folder(out, r.name)) for r in read_table(out).arms]
    runs = [len(list((arm_folder(out, r.name) / "toy").glob("metrics.json"))) for r in
            read_table(out).arms]  # fmt: skip
    return {"arms": arms, "kills": times, "seconds": time.perf_counter() - started,
            "finished": sum(s.state == "finished" for s in states), "metrics": sum(runs),
            "attempts": sum(s.attempt for s in states)}  # fmt: skip


def main() -> None:
    """Run the parts and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arms", type=int, default=200)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="one part: thousand, ten_thousand, ...")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="neuromf-sweep-"))

    try:
        parts: dict[str, object] = {"hardware": hardware(CPU)}
        folders = (root / name for name in ("a", "b", "c", "d"))
        for name, part in {
            "thousand": lambda f: scale(f, 1000),
            "ten_thousand": lambda f: scale(f, 10_000),
            "overhead": lambda f: overhead(f, 12, 100),
            "kills": lambda f: kills(f, given.arms, given.kills, given.seed),
        }.items():
            if given.only not in ("", name):
                continue
            folder = next(folders)
            folder.mkdir()
            parts[name] = part(folder)
            print(name, parts[name], flush=True)
            shutil.rmtree(folder)
        if given.out:
            write_json(given.out, parts)
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
