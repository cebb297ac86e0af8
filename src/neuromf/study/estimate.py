"""The cost of a study, estimated from a few updates of each kind of training, which are run in a
temporary folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuromf.invoke import schema_of
from neuromf.runtime.config import load_record, to_yaml
from neuromf.runtime.progress import clock
from neuromf.runtime.tables import read_table
from neuromf.study.arms import Arm
from neuromf.study.pool import Share
from neuromf.verbs import VERBS

UPDATES = 3  # of which the last is measured
NEVER = 10**9


@dataclass(frozen=True)
class Cost:
    """What a step of an arm takes."""

    seconds: float
    memory_gb: float  # peak of the process
    disk_gb: float


@dataclass(frozen=True)
class Measurement:
    """How the cost of a verb is measured: a short configuration, what its cost depends on, and the
    cost of the whole from the short run's folder.
    """

    short: Callable[[Any], Any]
    depends: Callable[[Any], tuple[Any, ...]]
    cost: Callable[[Any, Path], Cost]


def _short_training(config: Any) -> Any:
    return replace(
        config,
        updates=UPDATES,
        log_every=1,
        samples=replace(config.samples, every=0, n=1, nfe=(1,)),  # at the end there is one
        diagnostics=replace(config.diagnostics, every=0),
        evaluation=replace(config.evaluation, every=0),
        checkpoints=replace(config.checkpoints, every=NEVER),
        compile=False,
    )


def _training_cost(config: Any, out: Path) -> Cost:
    last = read_table(out / "log.csv")[1][-1]
    checkpoint = max(p.stat().st_size for p in (out / "checkpoints").glob("*.ckpt"))
    model = sum(p.stat().st_size for p in (out / "model").rglob("*") if p.is_file())
    return Cost(
        config.updates * float(last["seconds_per_update"]),
        float(last["memory_gb"]),
        ((config.checkpoints.keep + 1) * checkpoint + model) / 1e9,
    )


def _short_toy(config: Any) -> Any:
    return replace(config, arms={k: replace(a, epochs=1) for k, a in config.trained().items()})


def _toy_cost(config: Any, out: Path) -> Cost:
    seconds = 0.0
    for name, arm in config.trained().items():
        record = json.loads((out / "arms" / name / "metrics.json").read_text(encoding="utf-8"))
        seconds += record["metrics"]["seconds"] * arm.epochs
    size = sum(p.stat().st_size for p in out.rglob("*") if p.is_file())
    return Cost(seconds, 0.0, size / 1e9)


MEASUREMENTS = {
    "train": Measurement(
        _short_training,
        lambda c: (c.network, c.precondition, c.objective.jvp, c.objective.tangent,
                   c.objective.flow_weight > 0, c.times.equal_fraction, c.equal_fraction, c.batch,
                   c.accumulate, c.precision, c.device, c.latents, c.adapt, c.lora, c.teacher,
                   c.distillation, c.conditions, c.guidance, c.optimiser.kind, len(c.ema)),
        _training_cost,
    ),
    "toy": Measurement(
        _short_toy,
        lambda c: tuple((a.space, a.dimensions, a.size, a.objective.jvp, a.objective.tangent,
                         a.objective.flow_weight > 0, a.times.equal_fraction, a.precondition,
                         a.architecture, a.width, a.net, a.batch, a.steps, a.samples, a.calls,
                         a.teacher, a.start, a.distillation)
                        for a in c.trained().values()),
        _toy_cost,
    ),
}  # fmt: skip


class Estimates:
    """Costs of steps; steps that differ in nothing that a cost depends on are measured once."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[float, Path]] = {}  # seconds to start, and the short run
        self.root = Path(tempfile.mkdtemp(prefix="neuromf-estimate-"))

    def __enter__(self) -> Estimates:
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.root, ignore_errors=True)

    def of(self, arm: Arm, steps: Mapping[str, str]) -> dict[str, Cost]:
        """Return the cost of each step of an arm that can be measured before the arm has run.

        Raises ValueError where a short run fails, as the arm would.
        """
        found = {}
        for step, verb in steps.items():
            if verb not in MEASUREMENTS or "$" in arm.configs[step]:
                continue
            config = load_record(schema_of(VERBS[verb]), arm.configs[step], step)
            found[step] = self._measured(f"{arm.name}: {step}", verb, config)
        return found

    def _measured(self, what: str, verb: str, config: Any) -> Cost:
        way = MEASUREMENTS[verb]
        kind = f"{verb} {way.depends(config)}"
        if kind not in self.known:
            folder = self.root / str(len(self.known))
            short = way.short(config)
            seconds = _run(what, verb, short, folder)
            self.known[kind] = (max(0.0, seconds - way.cost(short, folder).seconds), folder)
        start, folder = self.known[kind]
        cost = way.cost(config, folder)
        return replace(cost, seconds=start + cost.seconds)


def _run(what: str, verb: str, config: Any, out: Path) -> float:
    """Run a command and return the seconds that it took."""
    path, started = out.with_suffix(".yaml"), time.monotonic()
    path.write_text(to_yaml(config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "neuromf.cli", verb, str(path), f"out={out}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise ValueError(f"{what} fails: {lines[-1].removeprefix('neuromf: ')}")
    return time.monotonic() - started


def plan_table(costs: Mapping[str, Mapping[str, Cost]], share: Share, unmeasured: list[str]) -> str:
    """Return a line for each arm and one for all: time, memory and disk."""
    width = max(len(name) for name in costs)
    lines = [f"{'arm':{width}}  {'time':>12}  memory GB  disk GB"]
    for name, of_arm in costs.items():
        parts = of_arm.values()
        if not parts:
            lines.append(f"{name:{width}}  {'not measured':>12}")
            continue
        seconds, disk = sum(c.seconds for c in parts), sum(c.disk_gb for c in parts)
        memory = max(c.memory_gb for c in parts)
        lines.append(f"{name:{width}}  {clock(seconds):>12}  {_number(memory):>9}  {disk:>7.3f}")

    every = [cost for of_arm in costs.values() for cost in of_arm.values()]
    lines.append("")
    if every:
        seconds = sum(c.seconds for c in every) / share.workers
        memory = max(c.memory_gb for c in every)
        lines.append(
            f"{len(costs)} arms, {share.workers} at once: {clock(seconds)}, "
            f"{sum(c.disk_gb for c in every):.2f} GB on disk"
            + (f"; memory_gb={memory:.1f} is the most that an arm needs" if memory else "")
        )
    else:
        lines.append(f"{len(costs)} arms, {share.workers} at once")
    if unmeasured:
        lines.append(f"not in these figures: {', '.join(unmeasured)}")
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.2f}" if value else "-"
