"""Training steps a second, through Lightning with loader, optimiser and averages:
MeanFlow against flow matching.

`python benchmarks/train.py LATENTS [--updates N] [--rounds N] [--device cuda] [--out
FILE.json]`. The preset small2mm; ways alternate, so that ratios hold on a machine whose speed
drifts; medians over rounds. The joint step is the one usually written: a jvp with gradients over
all rows. Diagnostics are timed by themselves: seconds of a look over seconds between two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from machine import add_device, hardware, high_water_gb, use_device
from neuromf.nets import DualTimeUNet
from neuromf.runtime import config as settings
from neuromf.runtime.device import wait_for_gpu
from neuromf.training import command
from neuromf.training.bar import Bar
from neuromf.training.batches import Batch, Batches, loader
from neuromf.training.config import TrainConfig
from neuromf.training.data import Data
from neuromf.training.diagnostics import DiagnosticsCallback
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.meanflow import MeanFlowTask
from ways import usual_loss

WAYS = {
    "flow matching": ("times.equal_fraction=1", "objective.jvp=none"),
    "MeanFlow, tangent v_c": ("objective.tangent=conditional",),
    "MeanFlow, boundary tangent": ("objective.tangent=boundary",),
    "joint jvp with gradient, all rows": ("objective.tangent=boundary", "precision=float32"),
    "flow matching, float32": ("times.equal_fraction=1", "objective.jvp=none", "precision=float32"),
    "MeanFlow, boundary tangent, float32": ("objective.tangent=boundary", "precision=float32"),
}


class Joint(MeanFlowTask):
    """The usual step."""

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        network: Any = self.network
        value = usual_loss(network, batch.x, batch.noise, batch.t, batch.r)
        return value, value.detach().double()[None]


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("latents")
    arguments.add_argument("--updates", type=int, default=12)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--out", type=Path)
    add_device(arguments)
    chosen = arguments.parse_args()
    device = use_device(chosen.device)
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    waits: dict[str, list[float]] = {name: [] for name in WAYS}
    look = 0.0
    for _ in range(chosen.rounds):
        for name, words in WAYS.items():
            config = settings.load(
                TrainConfig,
                ["preset=small2mm", f"latents={chosen.latents}", "equal_fraction=null", *words],
                "train",
            )
            config = replace(config, updates=chosen.updates, device=chosen.device)
            spent, waited = train(config, device, joint=name.startswith("joint"))
            seconds[name].append(spent)
            waits[name].append(waited)
    config = settings.load(
        TrainConfig,
        ["preset=small2mm", f"latents={chosen.latents}", "equal_fraction=null"],
        "train",
    )
    look = diagnostics_seconds(config, device)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows: dict[str, Any] = {
        name: {
            "seconds_per_update": value,
            "updates_per_second": 1 / value,
            "ratio": value
            / medians["flow matching, float32" if "float32" in WAYS[name][-1] else "flow matching"],
            "loader_share": statistics.median(waits[name]),
        }
        for name, value in medians.items()
    }
    step = medians["MeanFlow, tangent v_c"]
    diagnostics = {
        "look_s": look,
        "every": config.diagnostics.every,
        "share": look / (step * config.diagnostics.every),
    }
    for name, row in rows.items():
        waiting = f"loader {100 * row['loader_share']:.2f} %"
        print(f"{name:38}{row['seconds_per_update']:8.3f} s{row['ratio']:7.2f} x, {waiting}")
    print(
        f"a look {look:.2f} s every {config.diagnostics.every} updates: "
        f"{100 * diagnostics['share']:.2f} %"
    )
    if chosen.out:
        result = {
            "hardware": hardware(device),
            "batch": config.batch,
            "ways": rows,
            "diagnostics": diagnostics,
            "peak_gb": high_water_gb(device),
        }
        chosen.out.write_text(json.dumps(result, indent=1) + "\n")


class Clock(pl.Callback):
    """Seconds an update and the share spent waiting for batches, without the first updates."""

    def __init__(self, skip: int) -> None:
        self.skip, self.waited, self.spent, self.count = skip, 0.0, 0.0, 0
        self.ended = time.perf_counter()

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, number: int) -> None:
        self.waited += (time.perf_counter() - self.ended) * (number >= self.skip)

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, number: int
    ) -> None:
        wait_for_gpu()
        now = time.perf_counter()
        if number >= self.skip:
            self.spent += now - self.ended
            self.count += 1
        self.ended = now


def train(config: TrainConfig, device: torch.device, joint: bool) -> tuple[float, float]:
    torch.manual_seed(0)
    data = Data.read(config)
    network = DualTimeUNet(config.network)
    task = (Joint if joint else MeanFlowTask)(network, config.objective)
    loop = Loop(task, config.optimiser, config.updates, config.ema, config.precision)
    clock = Clock(skip=2)
    batches = loader(Batches(data.train, config), 0)
    fit(loop, lambda rank, processes: batches, Hardware(device), [clock])
    return clock.spent / clock.count, clock.waited / clock.spent


def diagnostics_seconds(config: TrainConfig, device: torch.device) -> float:
    """Return the median seconds that diagnostics cost once, gradients and weights noted before
    them included.
    """
    data = Data.read(config)
    loop = command.loop_of(config, DualTimeUNet(config.network)).to(device)
    for average in loop.averages.values():
        average.to(device)
    batch = Batches(data.train, replace(config, batch=config.diagnostics.batch)).batch(0, 0)
    spent = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = Log(folder, 1, config.batch)
        callback = DiagnosticsCallback(log, Bar(), folder, config, batch)
        for parameter in loop.network.parameters():
            parameter.grad = torch.zeros_like(parameter)
        for _ in range(4):
            loop.state.update = config.diagnostics.every - 1
            wait_for_gpu()
            started = time.perf_counter()
            callback.on_after_backward(FirstProcess(), loop)  # type: ignore[arg-type]
            loop.state.update += 1
            callback.observe(loop)
            wait_for_gpu()
            spent.append(time.perf_counter() - started)
    return statistics.median(spent[1:])


class FirstProcess:
    """What a look asks a trainer."""

    is_global_zero = True


if __name__ == "__main__":
    main()
