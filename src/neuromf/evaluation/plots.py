"""Figures of an evaluation: power spectra, sizes of regions, distances to training
data, figures of merit by set.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from neuromf.data.reading import picture
from neuromf.evaluation.memorisation import Copies
from neuromf.evaluation.run import Judged, Results
from neuromf.reporting.slices import Picture, sheet

# Okabe and Ito's
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
REAL = "#000000"
SHOWN = 6  # volumes of a set


def spectra(results: Results) -> Image.Image:
    """Return the mean radial power of each set over that of real volumes."""
    figure, (absolute, relative) = plt.subplots(1, 2, figsize=(9.5, 3.3), dpi=110)
    real = power(results.reference)
    at = (np.arange(len(real)) + 0.5) / len(real)
    absolute.plot(at, real, color=REAL, label="real")
    relative.axhline(1, color=REAL, lw=1)
    lines = [(j.name, power(j), "-") for j in results.sets]
    if results.reconstruction is not None:
        lines.append(("reconstruction", power(Judged(results.reconstruction, [])), "--"))
    for (name, values, style), colour in zip(lines, colours(len(lines)), strict=True):
        absolute.plot(at, values, style, color=colour, label=name)
        relative.plot(at, values / real, style, color=colour)
    absolute.set(xlabel="spatial frequency, of Nyquist", ylabel="power", yscale="log")
    relative.set(xlabel="spatial frequency, of Nyquist", ylabel="power over real", ylim=(0, None))
    absolute.legend(frameon=False, fontsize=7)
    return drawn(figure)


def power(judged: Judged) -> Any:
    """Return the mean power spectrum of a set."""
    return judged.material.features.stacked("spectrum", "power").double().mean(0).numpy()


def regions(results: Results, most: int = 6) -> Image.Image | None:
    """Return the sizes of regions in each set as boxes."""
    sets = [results.reference, *results.sets]
    names = [
        n for n in results.reference.material.sizes if all(n in j.material.sizes for j in sets)
    ]
    wanted = [n for n in ("CSF", "GM", "WM", "brain", "ventricles", "hippocampus") if n in names][
        :most
    ] or names[:most]
    if not wanted:
        return None
    figure, axes = plt.subplots(
        1, len(wanted), figsize=(2.1 * len(wanted) + 0.4 * len(sets), 3.2), dpi=110, squeeze=False
    )
    for axis, name in zip(axes[0], wanted, strict=True):
        boxes = axis.boxplot(
            [known(j, name) for j in sets], widths=0.6, patch_artist=True, showfliers=False
        )
        for box, colour in zip(boxes["boxes"], [REAL, *colours(len(results.sets))], strict=True):
            box.set(facecolor=colour, alpha=0.5)
        axis.set_title(f"{name}, ml", fontsize=9)
        axis.set_xticks(
            range(1, len(sets) + 1),
            ["real", *(j.name for j in results.sets)],
            rotation=60,
            ha="right",
            fontsize=7,
        )
    return drawn(figure)


def known(judged: Judged, region: str) -> Any:
    """Return the sizes of a region in the volumes in which it was found."""
    values = judged.material.sizes[region].numpy()
    return values[np.isfinite(values)]


def distances(copies: Copies) -> Image.Image:
    """Return histograms of the distance to the nearest training volume, of
    samples and of held-out people.
    """
    figure, axis = plt.subplots(figsize=(4.8, 2.6), dpi=110)
    found = copies.memorisation
    both = np.concatenate([found.samples.numpy(), found.held_out.numpy()])
    edges = np.histogram_bin_edges(both, 24).tolist()
    axis.hist(
        found.samples.numpy(), edges, density=True, color=COLOURS[0], alpha=0.6, label="samples"
    )
    axis.hist(
        found.held_out.numpy(),
        edges,
        density=True,
        histtype="step",
        color=REAL,
        label="held-out people",
    )
    axis.axvline(found.threshold, color=COLOURS[1], lw=1, ls="--")
    axis.set(xlabel=f"distance to the nearest training volume ({copies.space})", yticks=[])
    axis.legend(frameon=False, fontsize=8)
    return drawn(figure)


def merits(results: Results, keys: Sequence[str]) -> Image.Image:
    """Return one panel a figure of merit: each set with its interval, at equal
    numbers the bound and the ceiling.
    """
    figure, axes = plt.subplots(
        1,
        len(keys),
        figsize=(3.1 * len(keys), 0.9 + 0.34 * (len(results.sets) + 2)),
        dpi=110,
        squeeze=False,
    )
    names = [j.name for j in results.sets]
    for axis, key in zip(axes[0], keys, strict=True):
        for row, (judged, colour) in enumerate(zip(results.sets, colours(len(names)), strict=True)):
            score = judged.score(key)
            if score is None:
                continue
            reach = score.interval or (score.value, score.value)
            axis.plot(reach, [row, row], color=colour, lw=2)
            axis.plot(score.value, row, "o", color=colour)
            if "samples" in score.beside:
                axis.plot(score.beside["samples"].mean, row, "o", mfc="none", color=colour)
        first = results.sets[0].score(key)
        for name, style in (("real", "-"), ("reconstruction", "--")):
            if first is not None and name in first.beside:
                axis.axvline(first.beside[name].mean, color=REAL, lw=1, ls=style)
        axis.set_yticks(range(len(names)), names if axis is axes[0][0] else [], fontsize=8)
        axis.invert_yaxis()
        axis.set_title(f"{key.partition('/')[0]}: {first.label if first else key}", fontsize=8)
    return drawn(figure)


def contact(results: Results) -> Image.Image:
    """Return slices of the first volumes of each set under each other, the real ones first."""
    rows = [("real", results.reference.material), *((j.name, j.material) for j in results.sets)]
    if results.reconstruction is not None:
        rows.insert(1, ("reconstruction", results.reconstruction))
    pictures: list[Picture] = []
    labels: list[str] = []
    for name, material in rows:
        paths = material.volumes.paths[:SHOWN]
        blank = [np.zeros((8, 8), np.uint8)] * (SHOWN - len(paths))
        pictures += [picture(path) for path in paths] + blank
        labels += [name] * len(paths) + [""] * len(blank)
    return sheet(pictures, labels, columns=SHOWN)


def colours(n: int) -> list[str]:
    """Return n colours, told apart by colour-blind eyes as long as there are no more than eight."""
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def drawn(figure: Any) -> Image.Image:
    """Return a figure as an image."""
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    plt.close(figure)
    return Image.open(buffer).convert("RGB")
