"""The toy study: train the real objective on the torus, arm by arm,
and measure one-step samples.
"""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from rich.progress import Progress, TaskID
from safetensors.torch import load_file, save_file
from torch import Tensor

from neuromf.flow.trajectory import draw_secants
from neuromf.runtime.files import atomic, write_json
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run
from neuromf.torus import report
from neuromf.torus.arm import Arm, Result
from neuromf.torus.conversion import Weights, check_conversions, first_network, needed, task
from neuromf.torus.manifold import Manifold
from neuromf.torus.measure import draw_samples, evaluation_noise, measure, nearest
from neuromf.training.batches import Batch
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.optimiser import Optimiser

log = logging.getLogger("neuromf")
NAME = re.compile(r"\w[\w .,=+()%-]*")  # a file's, on any system
OUTPUT = Output("toy", ("metrics.json", "index.html", "figures/*", "arms/**"))


@dataclass(frozen=True)
class ToyConfig:
    """The toy study: named arms, trained one after another."""

    arms: dict[str, Arm] = field(default_factory=dict)  # by name, as the presets give some
    only: tuple[str, ...] = ()  # names of the arms to run; none is all
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.only if name not in self.arms]
        if unknown:
            raise ValueError(
                f"only names {', '.join(unknown)}: the arms are {', '.join(self.arms) or 'none'}"
            )
        if not self.arms:
            raise ValueError("arms is empty: preset=quick and preset=full bring some")
        for name in self.arms:  # before an arm is trained, not when its figures are written
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"arms names one {name!r}: its folder and figures are called so: letters, "
                    "digits, spaces and -+._,=()%, the first a letter or a digit"
                )
        check_conversions(self.arms)

    def chosen(self) -> dict[str, Arm]:
        """Return the arms to run."""
        return {name: arm for name, arm in self.arms.items() if not self.only or name in self.only}

    def trained(self) -> dict[str, Arm]:
        """Return the chosen arms and those that they begin with and learn from, each after its
        own.
        """
        return {name: self.arms[name] for name in needed(self.arms, self.chosen())}


def run(
    config: ToyConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, dict[str, Any]]:
    """Train every chosen arm, and the arms that these begin with and learn from, write
    metrics.json, figures and index.html of the chosen ones into `out`, and return their figures.

    A resumed run keeps the arms that are complete. Raises FileExistsError where `out`
    is in use, see `run.open_run`.
    """
    with open_run(out, config, OUTPUT, (), resume=resume, overwrite=overwrite):
        trained: dict[str, Result] = {}
        weights: dict[str, Mapping[str, Tensor]] = {}
        with progress("steps") as bar:
            for name in config.trained():
                stored = out / "arms" / name
                if (stored / "metrics.json").is_file():
                    trained[name] = _read(stored)
                    weights[name] = load_file(stored / "model.safetensors")
                    log.info("%s: kept from the earlier start", name)
                    continue
                trained[name], weights[name] = train(config.arms, name, config.seed, bar, weights)
                _write(stored, trained[name], weights[name])
                log.info("%s: %s", name, trained[name].metrics)
                _warn(name, trained[name].metrics)

        results = {name: trained[name] for name in config.chosen()}
        metrics = {name: result.metrics for name, result in results.items()}
        write_json(out / "metrics.json", metrics)
        report.write(out, config.chosen(), results)
        print(report.table(metrics))
        print(f"report: {out / 'index.html'}")

    return metrics


def train(
    arms: Mapping[str, Arm], name: str, seed: int, bar: Progress, weights: Weights
) -> tuple[Result, dict[str, Tensor]]:
    """Train the arm called `name` from `seed` and return what it gave and the averaged weights that
    it was measured on. `weights` holds those of the arms that it begins with and learns from.
    """
    arm = arms[name]
    torch.manual_seed(seed)
    manifold, network = arm.manifold(), first_network(arm, weights)
    updates = arm.epochs * arm.steps
    optimiser = Optimiser(arm.lr, clip=1.0, decay=arm.lr_decay)
    loop = Loop(task(arm, network, arms, weights), optimiser, updates, (arm.ema,))
    epochs = Epochs(name, arm.steps, bar)
    started = time.perf_counter()
    batches = draws(arm, manifold, seed)
    fit(loop, lambda rank, processes: batches, Hardware(torch.device("cpu")), [epochs])
    seconds, losses = time.perf_counter() - started, epochs.losses

    metrics, arrays = measure(arm, manifold, loop.average, seed)
    online = draw_samples(arm, network, evaluation_noise(arm, manifold, seed), 1)
    distance = nearest(manifold, online).distance.mean().item()
    metrics |= {"distance_1_online": distance} if math.isfinite(distance) else {}
    told = [e for e in (1, 10, 100, arm.epochs) if e <= arm.epochs]
    metrics |= {f"loss_epoch_{e}": losses[e - 1] for e in told}
    metrics |= {"seconds": seconds, "parameters": sum(p.numel() for p in network.parameters())}
    return Result(metrics, losses, arrays), dict(loop.average.state_dict())


def draws(arm: Arm, manifold: Manifold, seed: int) -> Iterator[list[Batch]]:
    """Yield the batch of each update, all drawn from one generator in turn."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(arm.epochs * arm.steps):
        x = manifold.draw(arm.batch, generator)
        noise = torch.randn(x.shape, generator=generator)
        t, r = arm.times.draw(arm.batch, generator)
        ends = None
        if arm.teacher and arm.distillation.target == "trajectory":
            wanted = arm.distillation
            ends = torch.stack(draw_secants(wanted.pairs, wanted.steps, generator))
        yield [Batch(x, noise, t, r, ends=ends)]


class Epochs(pl.Callback):
    """Keeps the mean raw loss of each epoch and shows it on the progress bar. Raises ValueError
    where one is not finite.
    """

    def __init__(self, name: str, steps: int, bar: Progress) -> None:
        self.name, self.steps, self.bar = name, steps, bar
        self.losses: list[float] = []
        self.sums = torch.zeros(())  # of the epoch
        self.task = TaskID(0)

    def on_train_start(self, trainer: pl.Trainer, loop: Loop) -> None:
        self.task = self.bar.add_task(self.name, total=loop.updates)

    def on_train_batch_end(
        self, trainer: pl.Trainer, loop: Loop, outputs: Any, batches: Any, number: int
    ) -> None:
        self.sums = self.sums + outputs["sums"]
        if loop.state.update % self.steps:
            return
        self.losses.append(loop.task.means(self.sums.tolist())["raw"])

        self.sums = torch.zeros(())
        self.bar.update(self.task, description=f"{self.name}, raw loss {self.losses[-1]:.4f}")
        self.bar.advance(self.task, self.steps)
        if not math.isfinite(self.losses[-1]):
            raise ValueError(
                f"{self.name}: the raw loss is {self.losses[-1]} in epoch {len(self.losses)}; "
                f"lower lr ({loop.settings.lr})"
            )


def _warn(name: str, metrics: Mapping[str, Any]) -> None:
    for key, count in metrics.items():
        if key.startswith("diverged_") and count:
            log.warning(
                "%s: %d of %d samples diverged in %s network calls: no distance and no "
                "energies after as many calls",
                *(name, count, metrics["samples"], key.removeprefix("diverged_")),
            )


def _write(folder: Path, result: Result, weights: Mapping[str, Tensor]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, tensors in (("model", weights), ("samples", result.arrays)):
        with atomic(folder / f"{name}.safetensors") as path:
            save_file(dict(tensors), path)
    # Last: it marks the arm complete.
    write_json(folder / "metrics.json", {"metrics": result.metrics, "loss": result.loss})


def _read(folder: Path) -> Result:
    stored = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return Result(stored["metrics"], stored["loss"], load_file(folder / "samples.safetensors"))
