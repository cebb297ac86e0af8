"""`neuromf inspect`: what a latent store holds, in numbers and in one figure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuromf.latents.statistics import LatentStats, channel_table, latent_statistics
from neuromf.latents.store import LatentStore
from neuromf.runtime.files import atomic, write_json
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.run import open_run

OUTPUT = Output("inspect", ("latents.png", "stats.json"))
DRAWN = 100  # latents that the histograms are of


@dataclass(frozen=True)
class InspectConfig:
    """What to look at."""

    latents: str = ""  # a folder that `neuromf encode` wrote, or a URL


def run(
    config: InspectConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> LatentStats:
    """Print a store's statistics, and draw histograms, correlation and PCA spectrum into
    `out`/latents.png.

    The command line's `out` is a folder beside the latents, LATENTS-inspection, if not given.
    """
    if not config.latents:
        raise ValueError("name a latent store: neuromf inspect latents/")
    if "://" not in config.latents:
        # however it was spelled
        config = replace(config, latents=str(local_path(config.latents).resolve()))
    store = LatentStore(config.latents)
    again = (
        out / "latents.png"
    ).is_file() and not overwrite  # a second look writes the same two files anew
    with open_run(
        out, config, OUTPUT, [config.latents], resume=resume or again, overwrite=overwrite
    ):
        stats = latent_statistics(store)
        report = describe(store, stats)
        print(report)
        write_json(out / "stats.json", stats.__dict__)
        draw(store, stats, out / "latents.png")
        print(f"{out / 'latents.png'}: histograms, correlation of channels, PCA spectrum")
    return stats


def describe(store: LatentStore, stats: LatentStats) -> str:
    """Return what a store holds, as lines."""
    counts = ", ".join(f"{len(store.split(s))} {s}" for s in ("train", "val", "test"))
    worst = max(
        (abs(v) for i, row in enumerate(stats.correlation) for j, v in enumerate(row) if i != j),
        default=0.0,
    )
    few = [
        f"{n}: {sum(stats.pca_variance[:n]):.3f}"
        for n in (1, 5, 10, 50)
        if n <= len(stats.pca_variance)
    ]
    return "\n".join(
        [
            f"{len(store)} latents {store.shape} ({counts}), {stats.subjects} training subjects",
            f"VAE {store.vae.name}, factor {store.vae.factor}, sha256 "
            f"{store.vae.sha256[:16] or 'unknown'}",
            channel_table(stats),
            f"largest correlation of two channels {worst:.3f}",
            "share of variance in the first principal components "
            f"{', '.join(few) or 'of one latent: none'}",
        ]
    )


def draw(store: LatentStore, stats: LatentStats, path: Path) -> None:
    """Write the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, middle, right = figure.subplots(1, 3)
    indices = store.split("train")[:DRAWN]
    values = np.stack(
        [stats.normalise(store[i]).flatten(1).numpy() for i in indices], axis=1
    ).reshape(store.shape[0], -1)
    bins: Any = np.linspace(-6, 6, 121)
    for channel in range(store.shape[0]):
        left.hist(values[channel], bins, histtype="step", density=True, label=f"channel {channel}")
    left.plot(bins, np.exp(-(bins**2) / 2) / np.sqrt(2 * np.pi), "k:", label="Gaussian")
    left.set(yscale="log", ylim=(1e-5, None), xlabel="normalised latent", ylabel="density")
    left.legend(fontsize=7)
    image = middle.imshow(np.array(stats.correlation), vmin=-1, vmax=1, cmap="RdBu_r")
    for i, row in enumerate(stats.correlation):
        for j, value in enumerate(row):
            middle.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8)
    ticks = range(store.shape[0])
    middle.set(xlabel="channel", ylabel="channel", title="correlation", xticks=ticks, yticks=ticks)
    figure.colorbar(image, ax=middle, shrink=0.7)
    right.plot(np.arange(1, len(stats.pca_variance) + 1), stats.pca_variance, ".-")
    right.set(yscale="log", xlabel="principal component", ylabel="share of variance")
    with atomic(path) as temporary:
        figure.savefig(temporary, dpi=150)
