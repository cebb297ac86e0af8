"""`neuromf train-skullstrip`: train the network that finds the brain in scans of any contrast."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from neuromf.data.brain_network import SPACING_MM, new_brain_network, save_brain_network
from neuromf.phantoms.heads import Labels
from neuromf.runtime.device import pick_device
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import write_table
from neuromf.training.bar import Bar
from neuromf.training.callback import PeriodicCallback
from neuromf.training.checkpoint import LAST, check_updates, read_checkpoint
from neuromf.training.loading import numbered
from neuromf.training.log import Log
from neuromf.training.loop import Hardware, Loop, fit
from neuromf.training.saver import Saver
from neuromf.training.strip_batches import HELD_OUT, HeadBatch, HeadBatches, heads, read_maps
from neuromf.training.strip_config import TrainSkullstripConfig
from neuromf.training.strip_task import StripTask, dice

VERB = "train-skullstrip"
OUTPUT = Output(
    VERB,
    (
        *("model.safetensors", "config.json", "README.md", "log.csv", "evaluation.csv"),
        *("checkpoints/*.ckpt", "scores.json"),
    ),
    loose=("tensorboard/**",),
)


def run(
    config: TrainSkullstripConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> dict[str, float]:
    """Train into `out` (model.safetensors, config.json, README.md, log.csv, evaluation.csv,
    checkpoints/) and return the scores of heads from held-out maps.

    A signal (SIGTERM, SIGUSR1, Ctrl-C) saves and ends the run. Raises ValueError, VolumeError or
    WeightsError for label maps, settings or checkpoints that cannot be used.
    """
    device = pick_device(config.device)
    maps, held_out = read_maps(config)  # refused before anything is made
    last = out / "checkpoints" / LAST
    if resume:
        check_updates(last, config.updates, VERB)
    with open_run(out, config, OUTPUT, [config.labels], resume=resume, overwrite=overwrite):
        loop = new_loop(config)
        if resume and last.is_file():
            loop.resume(read_checkpoint(last, VERB), str(last))
        if loop.state.update < config.updates:
            train(loop, config, maps, held_out, device, out)

        scores = {k: v for k, v in loop.state.evaluations[-1].items() if k != "update"}
        write_json(out / "scores.json", scores)
        parameters = sum(p.numel() for p in loop.network.parameters())
        write_text(out / "README.md", card(config, len(maps), scores, parameters))
    return scores


def new_loop(config: TrainSkullstripConfig) -> Loop:
    """Return the loop that trains a new network of the configuration's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network = new_brain_network(config.network)
    return Loop(
        StripTask(network), config.optimiser, config.updates, (config.ema,), config.precision
    )


def train(
    loop: Loop, config: TrainSkullstripConfig, maps: Sequence[Labels], held_out: Sequence[Labels],
    device: torch.device, out: Path,
) -> None:  # fmt: skip
    """Train to the last update. Raises Stopped, or KeyboardInterrupt, where a signal asked for
    it.
    """
    log, bar = Log(out, config.log_every, config.batch), Bar(VERB)
    saver = Saver(out / "checkpoints", log, config.check_every, 0, VERB, config, {})
    looks = HeldOutHeads(log, bar, out, config, held_out)

    left = range(loop.state.update, config.updates)
    batches = numbered(HeadBatches(maps, config), left, config.num_workers)
    fit(loop, lambda rank, processes: batches, Hardware(device), [log, bar, looks, saver])
    saver.raise_if_stopped(loop)


class HeldOutHeads(PeriodicCallback):
    """Writes the averaged weights, and one row of evaluation.csv: the Dice coefficient on heads of
    label maps that were not trained on.
    """

    what = "held-out heads, into evaluation.csv"

    def __init__(
        self, log: Log, bar: Bar, out: Path, config: TrainSkullstripConfig, maps: Sequence[Labels]
    ) -> None:
        super().__init__(log, bar, config.check_every, config.updates)
        self.out, self.config = out, config
        self.heads = heads(maps, HELD_OUT, range(config.check_heads), config.seed)

    def observe(self, loop: Loop) -> None:
        """Write, measure, and say."""
        average: Any = loop.average
        save_brain_network(self.out, average, self.config.network)
        found = scores(average, self.heads, loop.device)
        loop.state.evaluations.append({"update": loop.state.update, **found})
        write_table(self.out / "evaluation.csv", loop.state.evaluations)
        self.bar.say(", ".join(f"{k} {v:.4g}" for k, v in found.items()))


@torch.no_grad()
def scores(network: Any, batch: HeadBatch, device: torch.device) -> dict[str, float]:
    """Return the Dice coefficient of heads on the network's grid: mean and worst."""
    found = [network(x[None].to(device)).float().cpu() for x in batch.x]
    each = [float(dice(one, truth[None])) for one, truth in zip(found, batch.distance, strict=True)]
    return {"dice": round(sum(each) / len(each), 4), "dice_worst": round(min(each), 4)}


def card(
    config: TrainSkullstripConfig, maps: int, scores: dict[str, float], parameters: int
) -> str:
    """Return the model card."""
    lines = [
        "# brain-network",
        "",
        f"Finds the brain in a head of any contrast: {parameters:,} parameters, on a grid of "
        f"{SPACING_MM:g} mm (`neuromf prepare preprocessing.strip.method=network "
        "preprocessing.strip.weights=FOLDER`).",
        "",
        f"Trained for {config.updates} updates of {config.batch} heads, seed {config.seed}, each "
        f"drawn with random intensities from one of {maps} label maps. It has seen no scan.",
        "",
        f"Heads from {config.held_out} label maps that were not trained on: "
        + ", ".join(f"{k} {v:g}" for k, v in scores.items()),
        "",
        "For research; not for clinical use.",
        "",
    ]
    return "\n".join(lines)
