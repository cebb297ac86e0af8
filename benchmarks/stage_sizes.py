"""How many updates each stage of `neuromf train-stages` makes in the minutes it is given: a short
trial of all stages on this machine, then their configurations.

`python benchmarks/stage_sizes.py LATENTS OUT --stages flow2mm secants2mm --minutes 7 4
--batches 64 8 [--trial 60] [--words KEY=VALUE ...] [--device cuda]` writes OUT/STAGE.yaml, for
`neuromf train-stages stages=[OUT/flow2mm.yaml,...]`. Schedules are functions of the number of
updates, so a training ends well only if it gets to its last one.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

from machine import add_device, name_of, use_device
from neuromf.runtime.config import load, to_yaml
from neuromf.runtime.files import write_text
from neuromf.training import stages
from neuromf.training.config import TrainConfig

SHARE = 0.85  # of the time goes into updates; the rest into looks, checkpoints and the start


def main() -> None:
    chosen = arguments().parse_args()
    device = use_device(chosen.device)
    wanted = zip(chosen.stages, chosen.minutes, chosen.batches, strict=True)
    trial = chosen.out / "trial"
    plans = {name: (minutes, planned(chosen, name, batch)) for name, minutes, batch in wanted}
    short = [brief(config, chosen.trial) for _, config in plans.values()]
    files = tuple(write(trial / f"{n}.yaml", c) for n, c in zip(plans, short, strict=True))
    stages.run(stages.StagesConfig(chosen.latents, stages=files), trial / "run", resume=True)

    print(f"{name_of(device)}, a trial of {chosen.trial} updates a stage")
    for name, (minutes, config) in plans.items():
        seconds, waiting = measured(trial / "run" / "stages" / name / "log.csv")
        updates = max(int(SHARE * 60 * minutes / seconds), 2)
        write(chosen.out / f"{name}.yaml", sized(config, updates))
        print(
            f"{name:14} batch {config.batch:4} {1e3 * seconds:8.1f} ms an update, "
            f"{100 * waiting:.0f} % waiting for data: {updates} updates in {minutes:g} minutes"
        )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("latents")
    parser.add_argument("out", type=Path)
    parser.add_argument("--stages", nargs="+", required=True, help="presets of neuromf train")
    parser.add_argument("--minutes", nargs="+", type=float, required=True)
    parser.add_argument("--batches", nargs="+", type=int, required=True)
    parser.add_argument("--trial", type=int, default=60, help="updates")
    parser.add_argument("--words", nargs="*", default=[], help="further words of neuromf train")
    add_device(parser)
    return parser


def planned(chosen: argparse.Namespace, name: str, batch: int) -> TrainConfig:
    """Return the configuration of a stage, with the updates of its preset."""
    words = [f"preset={name}", f"device={chosen.device}", f"batch={batch}", *chosen.words]
    return load(TrainConfig, words, "train")


def brief(config: TrainConfig, updates: int) -> TrainConfig:
    """Return a training of few updates that is looked at once, at its end."""
    looks = replace(config.evaluation, every=0), replace(config.samples, every=0)
    kept = replace(config.checkpoints, every=updates)
    return replace(
        config, updates=updates, checkpoints=kept, evaluation=looks[0], samples=looks[1],
        log_every=max(updates // 3, 1),
    )  # fmt: skip


def sized(config: TrainConfig, updates: int) -> TrainConfig:
    """Return a training of as many updates, looked at as often as it was, relative to its length,
    or less.
    """
    every = max(updates // 8, 1)
    evaluation = replace(config.evaluation, every=every)
    samples = replace(config.samples, every=0)
    kept = replace(config.checkpoints, every=every, keep=0)
    return replace(
        config, updates=updates, checkpoints=kept, evaluation=evaluation, samples=samples
    )


def measured(log: Path) -> tuple[float, float]:
    """Return seconds an update at the end of a trial, when everything is warm, and the share of
    them spent waiting for data.
    """
    last = list(csv.DictReader(log.read_text(encoding="utf-8").splitlines()))[-1]
    return float(last["seconds_per_update"]), float(last["loader_share"])


def write(path: Path, config: TrainConfig) -> str:
    """Write a configuration and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, to_yaml(config))
    return str(path)


if __name__ == "__main__":
    main()
