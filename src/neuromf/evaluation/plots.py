"""Figures of an evaluation, drawn from its results alone: power spectra, sizes of regions,
distances to training data, metrics by set.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from neuromf.evaluation import registry
from neuromf.evaluation.results import CopiesRecord, Results
from neuromf.evaluation.slices import SHOWN, Slices, of_volume
from neuromf.reporting.slices import Picture, sheet

# Okabe and Ito's
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#999999")
REAL = "#000000"
REGIONS = ("CSF", "GM", "WM", "brain", "ventricles", "hippocampus")  # shown, where they are known
MOST = 6  # regions of others, if none of these is


def figures(results: Results, slices: Slices) -> dict[str, Image.Image]:
    """Return every figure by name."""
    found = {"volumes": contact(results, slices), "spectra": spectra(results)}
    if names := regions_shown(results):
        found["regions"] = regions(results, names)
    if len(results.sets) > 1:
        for extractor in results.extractors:
            if keys := plotted(results, extractor.key):
                found[f"merits-{safe(extractor.key)}"] = metrics_by_set(results, keys)
    for name, records in results.copies.items():
        for record in records:
            found[copies_name(name, record)] = distances(record)
    return found


def copies_name(name: str, copies: CopiesRecord) -> str:
    """Return what the figure of a set's distances to training data is called."""
    return f"copies-{safe(name)}-{safe(copies.space)}"


def safe(name: str) -> str:
    """Return a name that can be a file's."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def spectra(results: Results) -> Image.Image:
    """Return the mean radial power of each set over that of real volumes."""
    figure, (absolute, relative) = plt.subplots(1, 2, figsize=(9.5, 3.3), dpi=110)
    real = np.array(results.reference.power)
    at = (np.arange(len(real)) + 0.5) / len(real)
    absolute.plot(at, real, color=REAL, label="real")
    relative.axhline(1, color=REAL, lw=1)

    lines = [(name, np.array(s.power), "-") for name, s in results.sets.items()]
    if results.reconstruction is not None:
        lines.append(("reconstruction", np.array(results.reconstruction.power), "--"))
    for (name, values, style), colour in zip(lines, colours(len(lines)), strict=True):
        absolute.plot(at, values, style, color=colour, label=name)
        relative.plot(at, values / real, style, color=colour)

    absolute.set(xlabel="spatial frequency, of Nyquist", ylabel="power", yscale="log")
    relative.set(xlabel="spatial frequency, of Nyquist", ylabel="power over real", ylim=(0, None))
    absolute.legend(frameon=False, fontsize=7)
    return drawn(figure)


def regions_shown(results: Results) -> list[str]:
    """Return the regions that every set has, those that a reader looks for."""
    sets = results.sets.values()
    names = [n for n in results.reference.region_ml if all(n in s.region_ml for s in sets)]
    return [name for name in REGIONS if name in names] or names[:MOST]


def regions(results: Results, names: Sequence[str]) -> Image.Image:
    """Return the sizes of regions in each set as boxes."""
    found = results.sets.values()
    sets = [results.reference.region_ml, *(s.region_ml for s in found)]
    size = (2.1 * len(names) + 0.4 * len(sets), 3.2)
    figure, axes = plt.subplots(1, len(names), figsize=size, dpi=110, squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        sizes = [np.array(one[name].each) for one in sets]
        boxes = axis.boxplot(
            [values[np.isfinite(values)] for values in sizes],
            widths=0.6,
            patch_artist=True,
            showfliers=False,
        )
        for box, colour in zip(boxes["boxes"], [REAL, *colours(len(results.sets))], strict=True):
            box.set(facecolor=colour, alpha=0.5)

        axis.set_title(f"{name}, ml", fontsize=9)
        labels = ["real", *results.sets]
        axis.set_xticks(range(1, len(sets) + 1), labels, rotation=60, ha="right", fontsize=7)
    return drawn(figure)


def distances(copies: CopiesRecord) -> Image.Image:
    """Return histograms of the distance to the nearest training volume, of
    samples and of held-out people.
    """
    figure, axis = plt.subplots(figsize=(4.8, 2.6), dpi=110)
    samples, held_out = np.array(copies.samples), np.array(copies.held_out)
    edges = np.histogram_bin_edges(np.concatenate([samples, held_out]), 24).tolist()
    axis.hist(samples, edges, density=True, color=COLOURS[0], alpha=0.6, label="samples")
    people = "held-out people"
    axis.hist(held_out, edges, density=True, histtype="step", color=REAL, label=people)

    axis.axvline(copies.threshold, color=COLOURS[1], lw=1, ls="--")
    axis.set(xlabel=f"distance to the nearest training volume ({copies.space})", yticks=[])
    axis.legend(frameon=False, fontsize=8)
    return drawn(figure)


def plotted(results: Results, extractor: str) -> list[str]:
    """Return the keys of an extractor's metrics that are plotted, those that some set has."""
    keys = [f"{extractor}/{metric.key}" for metric in registry.METRICS if metric.plotted]
    return [key for key in keys if any(s.score(key) for s in results.sets.values())]


def metrics_by_set(results: Results, keys: Sequence[str]) -> Image.Image:
    """Return one panel a metric: each set with its interval; at equal
    numbers the real-vs-real reference and the reconstruction ceiling.
    """
    size = (3.1 * len(keys), 0.9 + 0.34 * (len(results.sets) + 2))
    figure, axes = plt.subplots(1, len(keys), figsize=size, dpi=110, squeeze=False)
    names = list(results.sets)
    for axis, key in zip(axes[0], keys, strict=True):
        panel(axis, results, key)
        axis.set_yticks(range(len(names)), names if axis is axes[0][0] else [], fontsize=8)
        axis.invert_yaxis()
    return drawn(figure)


def panel(axis: Any, results: Results, key: str) -> None:
    """Draw one metric of each set."""
    scores = [evaluated.score(key) for evaluated in results.sets.values()]
    for row, (score, colour) in enumerate(zip(scores, colours(len(scores)), strict=True)):
        if score is None:
            continue
        reach = score.interval or (score.value, score.value)
        axis.plot(reach, [row, row], color=colour, lw=2)
        axis.plot(score.value, row, "o", color=colour)
        if "samples" in score.beside:
            axis.plot(score.beside["samples"].mean, row, "o", mfc="none", color=colour)

    first = scores[0]
    for name, style in (("real", "-"), ("reconstruction", "--")):
        if first is not None and name in first.beside:
            axis.axvline(first.beside[name].mean, color=REAL, lw=1, ls=style)
    axis.set_title(f"{key.partition('/')[0]}: {first.label if first else key}", fontsize=8)


def contact(results: Results, slices: Slices) -> Image.Image:
    """Return slices of the first volumes of each set under each other, the real ones first."""
    names = ["real", *results.sets]
    if results.reconstruction is not None:
        names.insert(1, "reconstruction")

    pictures: list[Picture] = []
    labels: list[str] = []
    for name in names:
        keys = [of_volume(name, i) for i in range(SHOWN)]
        found = [slices[key] for key in keys if key in slices]
        blank = [np.zeros((8, 8), np.uint8)] * (SHOWN - len(found))
        pictures += found + blank
        labels += [name] * len(found) + [""] * len(blank)
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
