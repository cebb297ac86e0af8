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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from safetensors.torch import load_file

from neuromf.autoencoder.load import SHARP, load_vae
from neuromf.data.cohort import read_cohort
from neuromf.data.reading import picture, read_volume
from neuromf.data.resample import Grid, resample
from neuromf.data.template import MIDDLE, mni152
from neuromf.data.volume import Volume
from neuromf.generation.command import GenerateConfig
from neuromf.generation.command import run as generate
from neuromf.generation.samples import with_ending
from neuromf.latents.encode import EncodeConfig
from neuromf.latents.encode import run as encode
from neuromf.latents.statistics import LatentStats
from neuromf.latents.store import LatentStore
from neuromf.phantoms.command import run as phantom
from neuromf.phantoms.config import PhantomConfig
from neuromf.reporting import plots
from neuromf.reporting.page import render
from neuromf.reporting.slices import Picture, slices
from neuromf.runtime import config as settings
from neuromf.runtime.device import has_bf16, pick_device
from neuromf.runtime.files import write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.runtime.shell import typed
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
            GenerateConfig("embedded", n=config.brains, seed=config.seed),
            out / "brains",
            resume=True,
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
    originals = [e.read().voxels for e in read_cohort(out / "volumes") if e.split != "train"]
    originals = originals[:SHOWN]
    log = (out / "train" / "log.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(log)))
    previews = sorted((out / "train" / "samples").glob("*.png"))

    return render(
        "neuromf",
        "demo.html",
        title="From noise to a brain in one network call",
        run=out,
        config=config,
        subjects=len(store),
        train=len(store.split("train")),
        shipped=[picture(p) for p in shipped],
        anatomy=anatomy(read_volume(shipped[0])),
        shipped_timing=per_volume(out / "brains" / "timing.json"),
        originals=[slices(v) for v in originals],
        reconstructed=[slices(v) for v in reconstructions(originals)],
        generated={calls: [picture(p) for p in paths] for calls, paths in drawn.items()},
        timing={calls: per_volume(out / f"samples-nfe{calls}" / "timing.json") for calls in drawn},
        channels=channel_rows(
            stats, {calls: stored_latents(paths) for calls, paths in drawn.items()}
        ),
        curve=loss_curve(rows),
        previews=[(p.stem.removeprefix("update-").lstrip("0"), p) for p in previews],
        seconds=mean_seconds(rows),
    )


def reconstructions(volumes: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Return what the VAE that ships makes of volumes (D, H, W), decoded as samples are."""
    vae = load_vae(SHARP)
    encoded = [vae.encode(torch.from_numpy(v)[None, None]) for v in volumes]
    return [vae.decode(z)[0, 0].clamp(0, 1).numpy() for z in encoded]


def loss_curve(rows: list[dict[str, str]]) -> Figure:
    """Return a figure of the raw loss, from the rows of log.csv."""
    updates = [int(row["update"]) for row in rows]
    with plots.subplots(size=(7, 3)) as (figure, axes):
        for name, label in (
            ("raw_equal", "r = t (flow matching)"),
            ("raw_interval", "r < t"),
            ("raw", "all samples"),
        ):
            losses = [float(row[name]) for row in rows]
            axes.plot(updates, losses, label=label, lw=2 if name == "raw" else 1)
        axes.set(xlabel="update", ylabel="raw loss", yscale="log")
        axes.legend()

    return figure


def anatomy(like: Volume) -> Picture:
    """Return slices of the MNI152 average on the grid of a volume, its middle at the volume's."""
    d, h, w = like.voxels.shape
    affine = like.affine.copy()
    affine[:3, 3] += MIDDLE - (like.affine @ np.append((np.array([d, h, w]) - 1) / 2, 1.0))[:3]
    return slices(resample(mni152(), Grid((d, h, w), affine)).voxels)


def mean_seconds(rows: list[dict[str, str]]) -> float:
    """Return the mean seconds per update from log.csv, in which each row covers the
    updates since the row before.
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
    samples, volumes, latents, mine = (
        out.parent / name for name in ("samples", "volumes", "latents", "mine")
    )
    commands = (
        ("generate", "model=embedded", "n=8", f"out={samples}"),
        ("prepare", "input=FOLDER", f"out={volumes}"),
        ("encode", f"volumes={volumes}", f"out={latents}"),
        ("train", "preset=small2mm", f"latents={latents}", f"out={mine}"),
    )
    lines = "\n".join(f"  {typed(*command(), *words)}" for words in commands)
    return f"""
Open {page}: brains of the model that ships, then the chain that made such a model, in small.
More of them, and the same with your own scans:
{lines}"""


def command() -> list[str]:
    """Return how to call the command line from here: by its name, or by its path
    where it is not on the PATH.
    """
    if shutil.which("neuromf"):
        return ["neuromf"]
    path = Path(sys.executable).with_name("neuromf")
    return [os.path.relpath(path)] if path.is_file() else [sys.executable, "-m", "neuromf.cli"]
