"""`neuromf demo`: brains of the model that ships, then the whole chain in small without
data, and one page.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sys
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

from neuromf.autoencoder.load import load_vae
from neuromf.data.cohort import read_cohort
from neuromf.data.reading import picture, read_volume
from neuromf.data.resample import Grid, resample
from neuromf.data.template import MIDDLE, mni152
from neuromf.data.volume import Volume
from neuromf.generation.command import GenerateConfig, with_ending
from neuromf.generation.command import run as generate
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.phantoms.command import run as phantom
from neuromf.phantoms.config import PhantomConfig
from neuromf.reporting.slices import Picture, data_uri, slices
from neuromf.runtime import config as settings
from neuromf.runtime.device import has_bf16, pick_device
from neuromf.runtime.files import write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.training.command import run as train
from neuromf.training.config import TrainConfig

OUTPUT = Output(
    "demo", ("index.html", "brains/**", "volumes/**", "latents/**", "train/**", "samples*/**")
)
CALLS = (1, 5)  # network calls compared
SHOWN = 4  # phantoms, and their reconstructions, on the page


@dataclass(frozen=True)
class DemoConfig:
    """How much of each: the defaults take about four minutes on two CPU cores."""

    brains: int = 8  # drawn from the model that ships with the package
    phantoms: int = 32
    updates: int = 100
    batch: int = 4
    samples: int = 4  # drawn from the short training
    seed: int = 0
    training: dict[str, Any] = field(default_factory=dict)  # other keys of `neuromf train`

    def __post_init__(self) -> None:
        if self.phantoms < 20 or min(self.brains, self.updates, self.batch, self.samples) < 1:
            raise ValueError(
                f"phantoms {self.phantoms}, brains {self.brains}, updates {self.updates}, batch "
                f"{self.batch}, samples {self.samples}: 20 phantoms or more (some are held out), "
                "1 or more of the others"
            )


def run(config: DemoConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> Path:
    """Draw brains from the model that ships; then phantoms, their latents, a
    short training, brains from that.

    Writes index.html into `out` and returns it. Steps done are kept.
    """
    volumes, latents, training = out / "volumes", out / "latents", out / "train"
    with open_run(out, config, OUTPUT, (), resume=resume, overwrite=overwrite):
        step(
            1,
            f"{config.brains} brains from the model that ships "
            "with the package, one network call each",
        )
        shipped = generate(
            GenerateConfig("embedded", config.brains, seed=config.seed), out / "brains", resume=True
        )
        step(2, "a check of the chain: phantom brains from the MNI152 average")
        phantom(PhantomConfig(n=config.phantoms, seed=config.seed), volumes, resume=True)
        step(3, "to latents, with the VAE that ships with the package")
        encode(EncodeConfig(volumes=str(volumes)), latents, resume=True)
        step(
            4,
            f"a short training, {config.updates} updates: far too few "
            "for a brain, enough to see that it works",
        )
        train(training_config(config, latents), training, resume=True)
        drawn: dict[int, list[Path]] = {}
        step(
            5, f"{config.samples} samples of it, {' and '.join(map(str, CALLS))} network calls each"
        )
        for calls in CALLS:
            request = GenerateConfig(
                model=str(training), n=config.samples, nfe=calls, seed=config.seed, latents=True
            )
            drawn[calls] = generate(request, out / f"samples-nfe{calls}", resume=True)
        page = out / "index.html"
        write_text(page, story(config, out, shipped, drawn))
        print(ending(page, out))
    return page


def training_config(config: DemoConfig, latents: Path) -> TrainConfig:
    """Return the preset small2mm, shortened."""
    third = -(-config.updates // 3)
    words = [
        *(
            "preset=small2mm",
            f"latents={latents}",
            f"updates={config.updates}",
            f"batch={config.batch}",
        ),
        *(f"seed={config.seed}", f"ema=[{max(0.5, 1 - 20 / config.updates)}]", "log_every=10"),
        *(f"samples.every={third}", f"samples.nfe={list(CALLS)}", f"diagnostics.every={third}"),
        f"precision={'bfloat16' if has_bf16(pick_device('auto')) else 'float32'}",
        *(f"evaluation.every={third}", "evaluation.n=8", "checkpoints.every=100"),
    ]
    return settings.load(
        TrainConfig,
        [*words, *(f"{key}={value}" for key, value in config.training.items())],
        "train",
    )


def story(config: DemoConfig, out: Path, shipped: list[Path], drawn: dict[int, list[Path]]) -> str:
    """Return the page."""
    store, stats = LatentStore(out / "latents"), LatentStats.load(out / "latents")
    vae = load_vae("small")
    entries = [e for e in read_cohort(out / "volumes") if e.split != "train"][:SHOWN]
    originals = [entry.read().voxels for entry in entries]
    encoded = [vae.encode(torch.from_numpy(v)[None, None]) for v in originals]
    reconstructed = [vae.decode(z)[0, 0].clamp(0, 1).numpy() for z in encoded]
    rows = list(
        csv.DictReader(io.StringIO((out / "train" / "log.csv").read_text(encoding="utf-8")))
    )
    looks = sorted((out / "train" / "samples").glob("*.png"))
    source = (resources.files("neuromf") / "demo.html").read_text(encoding="utf-8")
    return jinja2.Template(source, autoescape=True).render(
        config=config,
        stats=stats,
        subjects=len(store),
        train=len(store.split("train")),
        shipped=[data_uri(picture(p)) for p in shipped],
        anatomy=data_uri(anatomy(read_volume(shipped[0]))),
        shipped_timing=per_volume(out / "brains" / "timing.json"),
        originals=[data_uri(slices(v)) for v in originals],
        reconstructed=[data_uri(slices(v)) for v in reconstructed],
        generated={calls: [data_uri(picture(p)) for p in paths] for calls, paths in drawn.items()},
        timing={calls: per_volume(out / f"samples-nfe{calls}" / "timing.json") for calls in drawn},
        channels=channel_rows(
            stats, {calls: stored_latents(paths) for calls, paths in drawn.items()}
        ),
        curve=data_uri(loss_curve(rows)),
        looks=[
            (p.stem.removeprefix("update-").lstrip("0"), data_uri(Image.open(p))) for p in looks
        ],
        seconds=mean_seconds(rows),
    )


def loss_curve(rows: list[dict[str, str]]) -> Picture:
    """Return a figure of the raw loss."""
    figure, axis = plt.subplots(figsize=(7, 3), dpi=110)
    updates = [int(row["update"]) for row in rows]
    for name, label in (
        ("raw_equal", "r = t (flow matching)"),
        ("raw_interval", "r < t"),
        ("raw", "all rows"),
    ):
        axis.plot(
            updates, [float(row[name]) for row in rows], label=label, lw=2 if name == "raw" else 1
        )
    axis.set(xlabel="update", ylabel="raw loss", yscale="log")
    axis.legend(frameon=False)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return np.asarray(Image.open(buffer).convert("L"))


def anatomy(like: Volume) -> Picture:
    """Return slices of the MNI152 average on the grid of a volume, its middle at the volume's."""
    d, h, w = like.voxels.shape
    affine = like.affine.copy()
    affine[:3, 3] += MIDDLE - (like.affine @ np.append((np.array([d, h, w]) - 1) / 2, 1.0))[:3]
    return slices(resample(mni152(), Grid((d, h, w), affine)).voxels)


def mean_seconds(rows: list[dict[str, str]]) -> float:
    """Return the seconds of an update, over all rows of log.csv: a row is of the
    updates since the one before.
    """
    ends = [0, *(int(row["update"]) for row in rows)]
    spent = sum(
        (b - a) * float(row["seconds_per_update"])
        for a, b, row in zip(ends, ends[1:], rows, strict=False)
    )
    return spent / ends[-1]


def stored_latents(paths: list[Path]) -> torch.Tensor:
    """Return the latents (n, C, D, H, W) beside generated volumes."""
    return torch.stack(
        [load_file(with_ending(path, "_latent.safetensors"))["latent"] for path in paths]
    )


def channel_rows(stats: LatentStats, drawn: dict[int, torch.Tensor]) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each channel: training data and samples."""
    moments = {
        calls: (z.mean((0, 2, 3, 4)).tolist(), z.std((0, 2, 3, 4)).tolist())
        for calls, z in drawn.items()
    }
    return [
        {
            "real": (m, s),
            "drawn": {calls: (means[c], stds[c]) for calls, (means, stds) in moments.items()},
        }
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


def ending(page: Path, out: Path) -> str:
    """Return the last lines on the terminal: what to open, and commands that work as they stand."""
    neuromf = command()
    return f"""
Open {page}: brains of the model that ships, then the chain that made such a model, in small.
More of them, and the same with your own scans:
  {neuromf} generate model=embedded n=8 out={out.parent / "samples"}
  {neuromf} prepare input=FOLDER out={out.parent / "volumes"}
  {neuromf} encode volumes={out.parent / "volumes"} out={out.parent / "latents"}
  {neuromf} train preset=small2mm latents={out.parent / "latents"} out={out.parent / "mine"}"""


def command() -> str:
    """Return how to call the command line from here: by its name, or by its path
    where it is not on the PATH.
    """
    if shutil.which("neuromf"):
        return "neuromf"
    path = Path(sys.executable).with_name("neuromf")
    return os.path.relpath(path) if path.is_file() else f"{sys.executable} -m neuromf.cli"
