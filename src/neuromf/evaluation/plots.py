"""Figures of an evaluation, drawn from its results alone: power spectra, sizes of regions,
distances to training data, metrics by set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from neuromf.evaluation import registry
from neuromf.evaluation.results import CopiesRecord, Results
from neuromf.evaluation.slices import SHOWN, Slices, of_volume
from neuromf.reporting.plots import BLUE, REFERENCE, SMALL, VERMILION, colours, subplots
from neuromf.reporting.slices import Picture, sheet
from neuromf.runtime.files import numbered

REGIONS = ("CSF", "GM", "WM", "brain", "ventricles", "hippocampus")  # shown, where they are known
MOST = 6  # regions of others, if none of these is


def figures(results: Results, slices: Slices) -> dict[str, Figure | Image.Image]:
    """Return every figure by name."""
    found: dict[str, Figure | Image.Image] = {
        "volumes": contact(results, slices),
        "spectra": spectra(results),
    }
    if names := regions_shown(results):
        found["regions"] = regions(results, names)
    if len(results.sets) > 1:
        for extractor in results.extractors:
            if keys := plotted(results, extractor.key):
                found[f"merits-{safe(extractor.key)}"] = metrics_by_set(results, keys)

    histograms = copies_names(results)
    for name, records in results.copies.items():
        for record in records:
            found[histograms[name, record.space]] = distances(record)

    return found


def copies_names(results: Results) -> dict[tuple[str, str], str]:
    """Return what the figures of distances to training data are called, by set and space."""
    keys = [(name, record.space) for name, found in results.copies.items() for record in found]
    names = numbered(f"copies-{safe(name)}-{safe(space)}" for name, space in keys)
    return dict(zip(keys, names, strict=True))


def safe(name: str) -> str:
    """Return a name that can be a file's."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def spectra(results: Results) -> Figure:
    """Return the mean radial power of each set over that of real volumes."""
    real = np.array(results.reference.power)
    at = (np.arange(len(real)) + 0.5) / len(real)
    lines = [(name, np.array(s.power), "-") for name, s in results.sets.items()]
    if results.reconstruction is not None:
        lines.append(("reconstruction", np.array(results.reconstruction.power), "--"))

    with subplots(1, 2, size=(8.5, 3.2)) as (figure, (absolute, relative)):
        absolute.plot(at, real, color=REFERENCE, label="real")
        relative.axhline(1, color=REFERENCE, lw=1)
        for (name, values, style), colour in zip(lines, colours(len(lines)), strict=True):
            absolute.plot(at, values, style, color=colour, label=name)
            relative.plot(at, values / real, style, color=colour)

        frequency = "spatial frequency, of Nyquist"
        absolute.set(xlabel=frequency, ylabel="power", yscale="log")
        relative.set(xlabel=frequency, ylabel="power over real", ylim=(0, None))
        absolute.legend()
    return figure


def regions_shown(results: Results) -> list[str]:
    """Return the regions that every set has, those that a reader looks for."""
    sets = results.sets.values()
    names = [n for n in results.reference.region_ml if all(n in s.region_ml for s in sets)]
    return [name for name in REGIONS if name in names] or names[:MOST]


def regions(results: Results, names: Sequence[str]) -> Figure:
    """Return the sizes of regions in each set as boxes."""
    sets = [results.reference.region_ml, *(s.region_ml for s in results.sets.values())]
    labels = ["real", *results.sets]
    size = (1.7 * len(names) + 0.3 * len(sets), 3.2)
    with subplots(1, len(names), size=size, squeeze=False) as (figure, axes):
        for axis, name in zip(axes[0], names, strict=True):
            sizes = [np.array(one[name].each) for one in sets]
            known = [values[np.isfinite(values)] for values in sizes]
            boxes = axis.boxplot(
                known,
                widths=0.6,
                patch_artist=True,
                showfliers=False,
                medianprops={"color": REFERENCE},
            )
            shades = [REFERENCE, *colours(len(results.sets))]
            for box, colour in zip(boxes["boxes"], shades, strict=True):
                box.set(facecolor=colour, alpha=0.5)

            axis.set_title(f"{name}, ml")
            axis.set_xticks(range(1, len(sets) + 1), labels, rotation=60, ha="right")
    return figure


def distances(copies: CopiesRecord) -> Figure:
    """Return histograms of the distance to the nearest training volume, of
    samples and of held-out people.
    """
    samples, held_out = np.array(copies.samples), np.array(copies.held_out)
    edges = np.histogram_bin_edges(np.concatenate([samples, held_out]), 24).tolist()
    people = "held-out people"
    with subplots(size=(4.8, 2.6)) as (figure, axis):
        axis.hist(samples, edges, density=True, color=BLUE, alpha=0.6, label="samples")
        axis.hist(held_out, edges, density=True, histtype="step", color=REFERENCE, label=people)
        axis.axvline(copies.threshold, color=VERMILION, lw=1, ls="--")
        axis.set(xlabel=f"distance to the nearest training volume ({copies.space})", yticks=[])
        axis.legend()
    return figure


def plotted(results: Results, extractor: str) -> list[str]:
    """Return the keys of an extractor's metrics that are plotted, those that some set has."""
    keys = [f"{extractor}/{metric.key}" for metric in registry.METRICS if metric.plotted]
    return [key for key in keys if any(s.score(key) for s in results.sets.values())]


def metrics_by_set(results: Results, keys: Sequence[str]) -> Figure:
    """Return one panel a metric: each set with its interval; at equal
    numbers the real-vs-real reference and the reconstruction ceiling.
    """
    names = list(results.sets)
    size = (2.8 * len(keys), 0.9 + 0.34 * (len(names) + 2))
    with subplots(1, len(keys), size=size, squeeze=False) as (figure, axes):
        for axis, key in zip(axes[0], keys, strict=True):
            panel(axis, results, key)
            axis.set_yticks(range(len(names)), names if axis is axes[0][0] else [])
            axis.set_ylim(len(names) - 0.5, -0.5)  # the first set on top
    return figure


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
            axis.axvline(first.beside[name].mean, color=REFERENCE, lw=1, ls=style)
    axis.set_title(f"{key.rpartition('/')[0]}: {first.label if first else key}", fontsize=SMALL)


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
