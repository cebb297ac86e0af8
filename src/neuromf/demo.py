"""`neuromf demo`: the whole chain without data, and one page that tells what happened."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from neuromf import config as settings
from neuromf.data.cohort import picture, read_cohort
from neuromf.data.phantom import PhantomConfig
from neuromf.data.phantom import run as phantom
from neuromf.device import has_bf16, pick_device
from neuromf.folders import Output
from neuromf.generate.command import GenerateConfig, with_ending
from neuromf.generate.command import run as generate
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.nets.vae import load_vae
from neuromf.pictures import Picture, data_uri, slices
from neuromf.run import open_run, write_text
from neuromf.training.config import TrainConfig
from neuromf.training.fit import run as train

OUTPUT = Output("demo", ("index.html", "volumes/**", "latents/**", "train/**", "samples*/**"))
CALLS = (1, 5)  # network calls compared
SHOWN = 4  # phantoms, and their reconstructions, on the page


@dataclass(frozen=True)
class DemoConfig:
    """How much of each: the defaults take less than ten minutes on two CPU cores."""

    phantoms: int = 48
    updates: int = 400
    batch: int = 8
    samples: int = 8
    seed: int = 0
    training: dict[str, Any] = field(default_factory=dict)  # other keys of `neuromf train`

    def __post_init__(self) -> None:
        if self.phantoms < 20 or self.updates < 1 or self.batch < 1 or self.samples < 1:
            raise ValueError(
                f"phantoms {self.phantoms}, updates {self.updates}, batch {self.batch}, samples {self.samples}: 20 "
                "phantoms or more (some are held out), 1 or more of the others"
            )


def run(config: DemoConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Draw phantoms, encode, train, generate; write index.html into `out` and return it. Steps done are kept."""
    volumes, latents, training = out / "volumes", out / "latents", out / "train"
    with open_run(out, config, OUTPUT, (), resume=resume, overwrite=overwrite):
        step(1, "phantom brains from the MNI152 average")
        phantom(PhantomConfig(n=config.phantoms, seed=config.seed), volumes, resume=True)
        step(2, "to latents, with the VAE that ships with the package")
        encode(EncodeConfig(volumes=str(volumes)), latents, resume=True)
        step(3, f"a short training, {config.updates} updates")
        train(training_config(config, latents), training, resume=True)
        drawn: dict[int, list[Path]] = {}
        for calls in CALLS:
            step(3 + len(drawn) + 1, f"{config.samples} brains, {calls} network call{'s' if calls > 1 else ''} each")
            request = GenerateConfig(model=str(training), n=config.samples, nfe=calls, seed=config.seed, latents=True)
            drawn[calls] = generate(request, out / f"samples-nfe{calls}", resume=True)
        page = out / "index.html"
        write_text(page, story(config, out, drawn))
        print(ending(page))
    return page


def training_config(config: DemoConfig, latents: Path) -> TrainConfig:
    """Return the preset small2mm, shortened."""
    third = max(1, config.updates // 3)
    words = [
        *("preset=small2mm", f"latents={latents}", f"updates={config.updates}", f"batch={config.batch}"),
        *(f"seed={config.seed}", f"ema=[{max(0.5, 1 - 20 / config.updates)}]", "log_every=10"),
        *(f"samples.every={third}", f"samples.calls={list(CALLS)}", f"diagnostics.every={third}"),
        f"precision={'bfloat16' if has_bf16(pick_device('auto')) else 'float32'}",
        *(f"evaluation.every={third}", "evaluation.n=8", "checkpoints.every=100"),
    ]
    return settings.load(TrainConfig, [*words, *(f"{key}={value}" for key, value in config.training.items())], "train")


def story(config: DemoConfig, out: Path, drawn: dict[int, list[Path]]) -> str:
    """Return the page."""
    store, stats = LatentStore(out / "latents"), LatentStats.load(out / "latents")
    vae = load_vae("small")
    entries = [e for e in read_cohort(out / "volumes") if e.split != "train"][:SHOWN]
    originals = [entry.read().voxels for entry in entries]
    encoded = [vae.encode(torch.from_numpy(v)[None, None]) for v in originals]
    reconstructed = [vae.decode(z)[0, 0].clamp(0, 1).numpy() for z in encoded]
    rows = list(csv.DictReader(io.StringIO((out / "train" / "log.csv").read_text(encoding="utf-8"))))
    looks = sorted((out / "train" / "samples").glob("*.png"))
    source = (resources.files("neuromf") / "demo.html").read_text(encoding="utf-8")
    return jinja2.Template(source, autoescape=True).render(
        config=config,
        stats=stats,
        subjects=len(store),
        train=len(store.split("train")),
        originals=[data_uri(slices(v)) for v in originals],
        reconstructed=[data_uri(slices(v)) for v in reconstructed],
        generated={calls: [data_uri(picture(p)) for p in paths] for calls, paths in drawn.items()},
        timing={calls: per_volume(out / f"samples-nfe{calls}" / "timing.json") for calls in drawn},
        channels=channel_rows(stats, {calls: stored_latents(paths) for calls, paths in drawn.items()}),
        curve=data_uri(loss_curve(rows)),
        looks=[(p.stem.removeprefix("update-").lstrip("0"), data_uri(Image.open(p))) for p in looks],
        rate=rows[-1],
    )


def loss_curve(rows: list[dict[str, str]]) -> Picture:
    """Return a figure of the raw loss."""
    figure, axis = plt.subplots(figsize=(7, 3), dpi=110)
    updates = [int(row["update"]) for row in rows]
    for name, label in (("raw_equal", "r = t (flow matching)"), ("raw_interval", "r < t"), ("raw", "all rows")):
        axis.plot(updates, [float(row[name]) for row in rows], label=label, lw=2 if name == "raw" else 1)
    axis.set(xlabel="update", ylabel="raw loss", yscale="log")
    axis.legend(frameon=False)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return np.asarray(Image.open(buffer).convert("L"))


def stored_latents(paths: list[Path]) -> torch.Tensor:
    """Return the latents (n, C, D, H, W) beside generated volumes."""
    return torch.stack([load_file(with_ending(path, "_latent.safetensors"))["latent"] for path in paths])


def channel_rows(stats: LatentStats, drawn: dict[int, torch.Tensor]) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each channel: training data and samples."""
    moments = {calls: (z.mean((0, 2, 3, 4)).tolist(), z.std((0, 2, 3, 4)).tolist()) for calls, z in drawn.items()}
    return [
        {"real": (m, s), "drawn": {calls: (means[c], stds[c]) for calls, (means, stds) in moments.items()}}
        for c, (m, s) in enumerate(zip(stats.mean, stats.std, strict=True))
    ]


def per_volume(path: Path) -> dict[str, float]:
    """Return the seconds a volume of a generation."""
    record = json.loads(path.read_text(encoding="utf-8"))
    count = max(1, record["volumes"])
    return {name: value / count for name, value in record["seconds"].items()}


def step(number: int, what: str) -> None:
    """Say what comes."""
    print(f"\n[{number}/5] {what}", flush=True)


def ending(page: Path) -> str:
    """Return the last lines on the terminal."""
    return f"""
Open {page}: phantoms, reconstructions, and brains drawn in one network call after a few minutes of training.
With your own scans:
  neuromf prepare input=FOLDER out=volumes && neuromf encode volumes=volumes out=latents
  neuromf train preset=small2mm latents=latents out=runs/mine
  neuromf generate model=runs/mine n=8 out=samples"""
