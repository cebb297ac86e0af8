"""MeanFlow against rectified flow on real brains: same network, data and updates. Writes
figures and results.

`python benchmarks/real_brains.py MEANFLOW_RUN RECTIFIED_RUN LATENTS OUT [--n N] [--device cuda]`.
The runs are folders that `neuromf train` wrote. Distances are sliced Wasserstein between normalised
latents of samples and of held-out people, all from the same noise; the bound is that between
training people and held-out people, as many as there are.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_file
from torch import Tensor

from machine import CPU, add_device, hardware, high_water_gb, use_device
from neuromf.autoencoder.load import load_vae
from neuromf.flow import composition_residual, sample
from neuromf.generation.generator import noise_of
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.metrics.wasserstein import sliced_wasserstein
from neuromf.nets import DualTimeUNet
from neuromf.pretrained.statedict import load_strict
from neuromf.reporting.slices import save, sheet, slices
from neuromf.runtime.files import atomic
from neuromf.training.checkpoint import read_checkpoint, trained_config

CALLS = {"MeanFlow": (1, 2, 5, 10), "rectified flow": (1, 2, 5, 10, 30, 50)}
SHOWN = 4


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("meanflow", "rectified", "latents", "out"):
        arguments.add_argument(name, type=Path)
    arguments.add_argument("--n", type=int, default=64)
    arguments.add_argument(
        "--many", type=int, default=2000, help="one-call latents whose statistics are taken"
    )
    add_device(arguments)
    chosen = arguments.parse_args()
    device = use_device(chosen.device)
    chosen.out.mkdir(parents=True, exist_ok=True)
    store, stats = LatentStore(chosen.latents), LatentStats.load(chosen.latents)
    real = {
        "held out": people(store, stats, ("val", "test")),
        "training": people(store, stats, ("train",)),
    }
    runs = {"MeanFlow": chosen.meanflow, "rectified flow": chosen.rectified}
    results: dict[str, Any] = {
        "hardware": hardware(device),
        "n": chosen.n,
        "people": {k: len(v) for k, v in real.items()},
    }
    results["bound"] = swd(real["training"], real["held out"])
    # people and their copies
    taught = torch.stack([stats.normalise(store[i]) for i in store.split("train")])
    results["nearest_training"] = {"held out": nearest(real["held out"], taught)}
    noise = torch.cat([noise_of(stats.shape, i, 0) for i in range(chosen.n)])
    pictures: dict[str, Tensor] = {}
    for name, folder in runs.items():
        state = read_checkpoint(folder / "checkpoints" / "last.ckpt")
        scale = trained_config(state).latent_scale
        results[name] = {"updates": state["update"], "raw": state["state"]["rows"][-1]["raw"]}
        results[name] |= {"looks": state["state"]["evaluations"], "scale": scale}
        for weights in ("averaged", "online"):
            network = loaded(state, weights, device)
            rows = {}
            for calls in CALLS[name] if weights == "averaged" else (1, 5):
                drawn = draw(network, noise, calls, name) / scale
                rows[calls] = figures(drawn, real["held out"])
                print(name, weights, calls, rows[calls], flush=True)
                if weights == "averaged":
                    pictures[f"{name}, {calls} call{'s' if calls > 1 else ''}"] = drawn[:SHOWN]
            results[name][weights] = rows
        if name == "MeanFlow":
            network = loaded(state, "averaged", device)
            results[name]["composition_residual"] = residual(network, noise[:16])
            results[name]["many"] = many(network, stats.shape, chosen.many, scale)
            results["nearest_training"]["one call"] = nearest(
                draw(network, noise, 1, name) / scale, taught
            )
    results["peak_gb"] = high_water_gb(device)
    (chosen.out / "real-brains.json").write_text(json.dumps(results, indent=1) + "\n")
    draw_pictures(pictures, stats, chosen.out / "calls.png")
    draw_training(chosen.meanflow, stats, chosen.out / "training.png")
    draw_curves(runs, results, chosen.out / "curves.png")


def people(store: LatentStore, stats: LatentStats, splits: tuple[str, ...]) -> Tensor:
    """Return normalised latents of people, without deformed copies."""
    chosen = [i for i, e in enumerate(store.entries) if e.split in splits and not e.parent]
    return torch.stack([stats.normalise(store[i]) for i in chosen])


def loaded(state: dict[str, Any], weights: str, device: torch.device = CPU) -> DualTimeUNet:
    network = DualTimeUNet(trained_config(state).network)
    averages = state["averages"]
    load_strict(
        network,
        state["network"] if weights == "online" else averages[next(iter(averages))],
        weights,
    )
    return network.to(device).eval().requires_grad_(False)


def nearest(points: Tensor, taught: Tensor) -> float:
    """Return the median over points of the root mean square difference to
    the nearest training latent.
    """
    gaps = torch.cdist(points.flatten(1), taught.flatten(1)) / points[0].numel() ** 0.5
    return float(gaps.min(1).values.median())


@torch.no_grad()
def draw(network: DualTimeUNet, noise: Tensor, calls: int, name: str) -> Tensor:
    solver: Any = "average" if name == "MeanFlow" else "euler"
    device = next(network.parameters()).device
    parts = noise.to(device).split(8)
    return torch.cat(
        [sample(network, part, calls, predict="x", solver=solver) for part in parts]
    ).cpu()


def swd(a: Tensor, b: Tensor) -> float:
    return sliced_wasserstein(a, b, 2048, torch.Generator().manual_seed(0))


def figures(drawn: Tensor, real: Tensor) -> dict[str, Any]:
    """Return the distance, how much samples differ among each other, and each
    channel's mean and deviation.
    """
    return {
        "swd": swd(drawn, real),
        "spread": float(drawn.std(0).mean()),
        "spread_real": float(real.std(0).mean()),
        "mean_image_error": float((drawn.mean(0) - real.mean(0)).square().mean().sqrt()),
        "roughness": float(drawn.diff(dim=2).std()),
        "roughness_real": float(real.diff(dim=2).std()),
        "mean": drawn.mean((0, 2, 3, 4)).tolist(),
        "std": drawn.std((0, 2, 3, 4)).tolist(),
    }


def many(network: DualTimeUNet, shape: tuple[int, ...], count: int, scale: float) -> dict[str, Any]:
    """Return how many of `count` one-call samples are finite, and each channel's
    mean and deviation over all.
    """
    finite, sums, squares, numbers = (
        0,
        torch.zeros(shape[0]).double(),
        torch.zeros(shape[0]).double(),
        0,
    )
    for first in range(0, count, 50):
        noise = torch.cat([noise_of(shape, i, 0) for i in range(first, min(first + 50, count))])
        z = draw(network, noise, 1, "MeanFlow").double() / scale
        finite += int(torch.isfinite(z).flatten(1).all(1).sum())
        sums, squares = sums + z.sum((0, 2, 3, 4)), squares + z.square().sum((0, 2, 3, 4))
        numbers += z[:, 0].numel()
    mean = sums / numbers
    return {
        "n": count,
        "finite": finite,
        "mean": mean.tolist(),
        "std": (squares / numbers - mean**2).sqrt().tolist(),
    }


@torch.no_grad()
def residual(network: DualTimeUNet, noise: Tensor) -> float:
    """Return the composition residual of 1 -> 0 against 1 -> 0.5 -> 0."""

    def velocity(z: Tensor, t: Tensor, r: Tensor) -> Tensor:
        return (z - network.without_head(z, t, r)) / t.view(-1, 1, 1, 1, 1)

    noise = noise.to(next(network.parameters()).device)
    t, s, r = (noise.new_full((len(noise),), value) for value in (1.0, 0.5, 0.0))
    return float(composition_residual(velocity, noise, t, s, r).mean())


def draw_pictures(latents: dict[str, Tensor], stats: LatentStats, path: Path) -> None:
    vae = load_vae("small")
    shown, labels = [], []
    for label, part in latents.items():
        decoded = vae.decode(stats.denormalise(part))[:, 0].clamp(0, 1).numpy()
        shown += [slices(v) for v in decoded]
        labels += [label] * len(decoded)
    save(path, sheet(shown, labels, columns=SHOWN))


def draw_training(run: Path, stats: LatentStats, path: Path) -> None:
    """Write one-call samples from the same noise after more and more updates."""
    files = sorted((run / "samples").glob("*.safetensors"))
    chosen = [files[round(i * (len(files) - 1) / 3)] for i in range(4)] if len(files) > 4 else files
    latents = {f"{int(f.stem.split('-')[1])} updates": load_file(f)["calls_1"] for f in chosen}
    draw_pictures(latents, stats, path)


def draw_curves(runs: dict[str, Path], results: dict[str, Any], path: Path) -> None:
    """Write raw loss, distance over training, and distance over network calls."""
    figure, (loss, progress, calls) = plt.subplots(1, 3, figsize=(13, 3.6), dpi=110)
    for name, folder in runs.items():
        rows = list(csv.DictReader((folder / "log.csv").read_text(encoding="utf-8").splitlines()))
        updates = [int(row["update"]) for row in rows]
        for key, style in (("raw_equal", "-"), ("raw_interval", ":")):
            values = smooth([float(row[key]) for row in rows])
            loss.plot(
                updates,
                values,
                style,
                label=f"{name}, {'r = t' if key == 'raw_equal' else 'r < t'}",
            )
        looks = results[name]["looks"]
        progress.plot([r["update"] for r in looks], [r["swd"] for r in looks], label=name)
        drawn = results[name]["averaged"]
        calls.plot(list(drawn), [r["swd"] for r in drawn.values()], "o-", label=name)
    calls.axhline(results["bound"], color="k", lw=1, ls="--", label="people against people")
    loss.set(xlabel="update", ylabel="raw loss", yscale="log")
    progress.set(xlabel="update", ylabel="SWD of one call")
    calls.set(xlabel="network calls", ylabel="SWD", xscale="log")
    for axis in (loss, progress, calls):
        axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    with atomic(path) as temporary:
        figure.savefig(temporary)
    plt.close(figure)


def smooth(values: list[float], window: int = 15) -> list[float]:
    """Return a running mean."""
    return [
        sum(values[max(0, i - window) : i + 1]) / len(values[max(0, i - window) : i + 1])
        for i in range(len(values))
    ]


if __name__ == "__main__":
    main()
