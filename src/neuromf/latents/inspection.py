"""`neuromf inspect`: the content of a latent store in numbers, in one figure and on one page."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuromf.autoencoder.components import Component
from neuromf.data.splits import SPLITS
from neuromf.latents.statistics import LatentStats, channel_table, latent_statistics
from neuromf.latents.store import LatentStore
from neuromf.reporting import plots
from neuromf.reporting.page import render
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.run import open_run

OUTPUT = Output("inspect", ("index.html", "latents.png", "stats.json"))
DRAWN = 100  # latents in the histograms
DARK = 0.7  # correlations above are drawn so dark that their numbers are white
SHARES = (1, 5, 10, 50)  # principal components that a share of variance is given for


@dataclass(frozen=True)
class InspectConfig:
    """What to inspect."""

    latents: str = ""  # a folder that `neuromf encode` wrote, or a URL


def run(
    config: InspectConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> LatentStats:
    """Print a store's statistics, draw histograms, correlation and PCA spectrum into
    `out`/latents.png, and show both in `out`/index.html.

    If `out` is not given, the command line takes a folder beside the latents, LATENTS-inspection.
    """
    if not config.latents:
        raise ValueError("name a latent store: neuromf inspect latents/")
    if "://" not in config.latents:
        # however it was spelled
        config = replace(config, latents=str(local_path(config.latents).resolve()))

    store = LatentStore(config.latents)
    # inspecting again replaces the same files
    again = (out / "latents.png").is_file() and not overwrite

    with open_run(
        out, config, OUTPUT, [config.latents], resume=resume or again, overwrite=overwrite
    ):
        stats = latent_statistics(store)
        report = describe(store, stats)
        print(report)
        write_json(out / "stats.json", stats.__dict__)
        plots.save(out / "latents.png", draw(store, stats))
        write_text(out / "index.html", page(out, store, stats))
        print(f"look at {out / 'index.html'}: histograms, correlation of channels, PCA spectrum")

    return stats


def describe(store: LatentStore, stats: LatentStats) -> str:
    """Return what a store holds, as lines."""
    counts = ", ".join(f"{n} {split}" for split, n in split_counts(store).items())
    few = [f"{n}: {share:.3f}" for n, share in variance_shares(stats).items()]
    return "\n".join(
        [
            f"{len(store)} latents {store.shape} ({counts}), {stats.subjects} training subjects",
            f"VAE {store.vae.name}, factor {store.vae.factor}, sha256 "
            f"{store.vae.sha256[:16] or 'unknown'}",
            *channel_ranges(store.components),
            channel_table(stats),
            f"largest correlation of two channels {largest_correlation(stats):.3f}",
            "share of variance in the first principal components "
            f"{', '.join(few) or 'of one latent: none'}",
        ]
    )


def channel_ranges(components: Sequence[Component]) -> list[str]:
    """Return which channels are of which component, a line each; nothing for images alone."""
    ends = list(itertools.accumulate(c.vae.channels for c in components))
    if len(ends) < 2:
        return []
    return [
        f"channels {end - c.vae.channels} to {end - 1}: {c.name} by {c.vae.name}"
        for c, end in zip(components, ends, strict=True)
    ]


def page(out: Path, store: LatentStore, stats: LatentStats) -> str:
    """Return the HTML page of the run in `out`, which holds latents.png."""
    channels = zip(stats.mean, stats.std, stats.skewness, stats.kurtosis, strict=True)
    return render(
        "neuromf.latents",
        "inspection.html",
        title=f"Latents: {Path(store.location).name}",
        run=out,
        store=store,
        stats=stats,
        counts=split_counts(store),
        ranges=channel_ranges(store.components),
        channels=list(channels),
        largest=largest_correlation(stats),
        shares=variance_shares(stats),
        drawn=min(DRAWN, len(store.split("train"))),
        figure=out / "latents.png",
    )


def split_counts(store: LatentStore) -> dict[str, int]:
    """Return the number of latents of each split."""
    return {split: len(store.split(split)) for split in SPLITS}


def largest_correlation(stats: LatentStats) -> float:
    """Return the largest magnitude of the correlation of two channels, 0 for one channel."""
    rows = enumerate(stats.correlation)
    apart = (abs(v) for i, row in rows for j, v in enumerate(row) if i != j)
    return max(apart, default=0.0)


def variance_shares(stats: LatentStats) -> dict[int, float]:
    """Return the share of variance in the first 1, 5, 10 and 50 principal components, as far as
    there are so many.
    """
    found = len(stats.pca_variance)
    return {n: sum(stats.pca_variance[:n]) for n in SHARES if n <= found}


def draw(store: LatentStore, stats: LatentStats) -> Figure:
    """Return histograms of the channels, their correlation, and the PCA spectrum."""
    with plots.subplots(1, 3, size=(10, 3.2)) as (figure, (left, middle, right)):
        draw_histograms(left, store, stats)
        draw_correlation(middle, stats)
        components = np.arange(1, len(stats.pca_variance) + 1)
        right.plot(components, stats.pca_variance, ".-")
        right.set(yscale="log", xlabel="principal component", ylabel="share of variance")
    return figure


def draw_histograms(axes: Axes, store: LatentStore, stats: LatentStats) -> None:
    """Draw the density of each channel's normalised values, and the Gaussian."""
    channels = store.shape[0]
    latents = [stats.normalise(store[i]).flatten(1) for i in store.split("train")[:DRAWN]]
    values = np.stack([z.numpy() for z in latents], axis=1).reshape(channels, -1)

    bins: Any = np.linspace(-6, 6, 121)
    for channel in range(channels):
        axes.hist(values[channel], bins, histtype="step", density=True, label=f"channel {channel}")
    gaussian = np.exp(-(bins**2) / 2) / np.sqrt(2 * np.pi)
    axes.plot(bins, gaussian, ":", color=plots.REFERENCE, label="Gaussian")
    axes.set(yscale="log", ylim=(1e-5, None), xlabel="normalised latent", ylabel="density")
    axes.legend()


def draw_correlation(axes: Axes, stats: LatentStats) -> None:
    """Draw the correlation of the channels as a matrix, with its numbers."""
    image = axes.imshow(np.array(stats.correlation), vmin=-1, vmax=1, cmap="RdBu_r")
    for i, row in enumerate(stats.correlation):
        for j, value in enumerate(row):
            colour = "white" if abs(value) > DARK else "black"
            number = axes.text(j, i, f"{value:.2f}", ha="center", va="center", color=colour)
            number.set_fontsize(plots.SMALL)

    ticks = range(len(stats.correlation))
    axes.set(xlabel="channel", ylabel="channel", title="correlation", xticks=ticks, yticks=ticks)
    axes.spines[:].set_visible(False)
    axes.figure.colorbar(image, ax=axes, shrink=0.7)
