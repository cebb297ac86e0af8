"""MAISI's flow, its true architecture: what a network call costs, and its conversion to few calls.

`python benchmarks/from_maisi.py OUT [--weights FILE] [--latents STORE] [--side 64] [--updates 20]
[--steps 4] [--device cuda]`. FILE is NVIDIA's diff_unet_3d_rflow-mr-brain_v1.pt; without it the
weights are random, which costs the same. STORE holds latents of maisi-v1 at 1 mm; without it they
are noise of SIDE³ voxels. OUT keeps the model, the training, which goes on where it was stopped,
and result.json: seconds of a guided network call, seconds and memory of an update.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import torch

from machine import add_device, hardware, high_water_gb, timed, use_device
from neuromf.fetch import fetch
from neuromf.generation import maisi
from neuromf.generation.generator import Generator
from neuromf.generation.maisi import ImportMaisiConfig
from neuromf.generation.model import MAISI, load_model
from neuromf.latents import imports
from neuromf.nets.config import BRAIN
from neuromf.runtime.config import load
from neuromf.runtime.files import write_json
from neuromf.runtime.tables import read_table
from neuromf.training import command
from neuromf.training.config import TrainConfig

SUBJECTS = 6  # latents of noise


def random_weights(path: Path) -> Path:
    """Write a file of the published layout with random weights, if it is not there."""
    if not path.is_file():
        torch.manual_seed(0)
        network = maisi.their_network(BRAIN)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        state = {"unet_state_dict": network.state_dict(), maisi.SCALE: torch.tensor(1.0)}
        torch.save(state, path)
    return path


def random_latents(out: Path, side: int) -> Path:
    """Write a store of noise, if it is not there."""
    files, store = out / "files", out / "latents"
    if not (store / "stats.json").is_file():
        files.mkdir(parents=True, exist_ok=True)
        for i in range(SUBJECTS):
            z = torch.randn(4, *[side // maisi.FACTOR] * 3)
            split = "val" if i == 0 else "train"
            about = {"subject": f"s{i}", "split": split, "contrast": "T1w"}
            torch.save({"z": z, "metadata": about}, files / f"s{i}.pt")
        imports.run(imports.ImportConfig(str(files), "maisi-v1"), store, overwrite=store.exists())
    return store


def call_seconds(folder: Path, device: str) -> list[float]:
    """Return the seconds of guided steps, two network calls each; the first warms up."""
    generator = Generator(load_model(folder), device)
    asked = generator.asked({"contrast": "T1w"}, guidance=2.0)
    return [timed(lambda: generator.latent(0, 1, asked=asked))[0] for _ in range(4)][1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--latents", type=Path)
    parser.add_argument("--side", type=int, default=64, help="voxels")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--steps", type=int, default=4, help="of a trajectory")
    add_device(parser)
    options = parser.parse_args()
    device, out = use_device(options.device), options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NEUROMF_HOME", str(out / "home"))

    fetch(MAISI, options.weights or random_weights(out / "random.pt"))
    folder, side = out / "model", options.side
    if not (folder / "config.json").is_file():
        maisi.run(ImportMaisiConfig(size=(side, side, side)), folder)
    store = options.latents or random_latents(out, side)
    seconds = call_seconds(folder, str(device))

    words = [
        "preset=maisi192", f"latents={store}", f"teacher={folder}", f"updates={options.updates}",
        f"distillation.steps={options.steps}", "optimiser.warmup=2", "samples.every=0",
        "log_every=1", "evaluation.every=0", "ema=[0.9]", "num_workers=0", f"device={device}",
        *([] if device.type == "cuda" else ["precision=float32"]),
    ]  # fmt: skip
    started = time.perf_counter()
    config = load(TrainConfig, words, "train")
    command.run(config, out / "train", resume=(out / "train").exists())
    rows = read_table(out / "train" / "log.csv")[1]

    result = {
        "weights": str(options.weights.name) if options.weights else "random",
        "side": side,
        "step_of_two_calls_seconds": statistics.median(seconds),
        "updates": len(rows),
        "trajectory_steps": options.steps,
        "update_seconds": statistics.median(float(r["seconds_per_update"]) for r in rows),
        "raw_first": float(rows[0]["raw"]),
        "raw_last": float(rows[-1]["raw"]),
        "training_seconds": time.perf_counter() - started,
        "peak_gb": high_water_gb(device),
        "machine": hardware(device),
    }
    write_json(out / "result.json", result)
    print(result)


if __name__ == "__main__":
    main()
