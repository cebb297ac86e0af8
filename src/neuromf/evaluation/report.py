"""The files of an evaluation or a comparison: scores.json, a table, figures and one HTML page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from neuromf.evaluation import registry
from neuromf.evaluation.plots import copies_names, figures
from neuromf.evaluation.results import Results, read_scores, write_scores
from neuromf.evaluation.run import Evaluated
from neuromf.evaluation.score import Score
from neuromf.evaluation.slices import Slices, of_pair, read_slices, write_slices
from neuromf.evaluation.tables import number, tables
from neuromf.reporting import plots
from neuromf.reporting.page import render
from neuromf.reporting.slices import save
from neuromf.reporting.viewer import needed, read_shown, save_shown, viewer
from neuromf.runtime.files import write_text
from neuromf.runtime.tables import write_table

SHOWN = "volumes.json"  # what the viewer of the page shows
RESULT_FILES = (
    *("scores.json", "scores.csv", "slices.safetensors", SHOWN, "rejected.csv"),
    *("index.html", "figures/*.png", "reconstructions/*.nii.gz"),
)


def write_results(evaluated: Evaluated, out: Path) -> None:
    """Write scores.json, scores.csv, slices.safetensors, volumes.json, figures and
    index.html.
    """
    results, slices, volumes = evaluated
    write_scores(out / "scores.json", results)
    write_table(out / "scores.csv", rows(results))
    write_slices(out / "slices.safetensors", slices)
    save_shown(out / SHOWN, volumes)
    draw(results, slices, out)


def redraw(folder: Path) -> None:
    """Draw figures and index.html of an evaluation's folder again, from its scores.json,
    slices.safetensors and volumes.json alone: no volume is read. Folders of earlier versions have
    no volumes.json, and a page without a viewer.

    Raises FileNotFoundError where one is missing, RecordError for those of another version.
    """
    results = read_scores(folder / "scores.json")
    draw(results, read_slices(folder / "slices.safetensors"), folder)


def draw(results: Results, slices: Slices, out: Path) -> None:
    """Write figures and index.html."""
    (out / "figures").mkdir(exist_ok=True)
    drawn = {}
    for name, figure in figures(results, slices).items():
        drawn[name] = out / "figures" / f"{name}.png"
        if isinstance(figure, Figure):
            plots.save(drawn[name], figure)
        else:
            save(drawn[name], figure)

    write_text(out / "index.html", page(results, slices, drawn, out))


def rows(results: Results) -> list[dict[str, Any]]:
    """Return one row a set and metric."""
    return [row(name, s) for name, found in results.sets.items() for s in found.scores]


def row(name: str, score: Score) -> dict[str, Any]:
    """Return a line of scores.csv."""
    low, high = score.interval or (math.nan, math.nan)
    cells = {
        "set": name,
        "metric": score.key,
        "label": score.label,
        "value": score.value,
        "low": low,
        "high": high,
        "n": score.n,
        "reference": score.reference,
        "better": score.better,
    }
    for kind in ("samples", "reconstruction", "real"):
        beside = score.beside.get(kind)
        cells |= {
            f"equal_n.{kind}": beside.mean if beside else "",
            f"equal_n.{kind}.std": beside.std if beside else "",
            f"equal_n.{kind}.n": beside.n if beside else "",
            f"equal_n.{kind}.reference": beside.reference if beside else "",
        }

    return cells | {"note": score.note}


def page(results: Results, slices: Slices, drawn: dict[str, Path], out: Path) -> str:
    """Return the HTML page of the run in `out`, with figures that were drawn."""
    volumes = read_shown(out / SHOWN)
    tested = {metric.key for metric in registry.METRICS if metric.tested}
    return render(
        "neuromf.evaluation",
        "page.html",
        title=results.title,
        run=out,
        results=results,
        tables=tables(results),
        drawn=drawn,
        copies=nearest_training(results, slices, drawn),
        several=len(results.sets) > 1,
        number=number,
        small=small,
        viewer=viewer(volumes),
        **needed(volumes),
        tested=[d for d in results.differences if d.key.rpartition("/")[2] in tested],
    )


def nearest_training(
    results: Results, slices: Slices, drawn: dict[str, Path]
) -> list[dict[str, Any]]:
    """Return, for the page, histograms and nearest pairs: in every space of a single set, in the
    first space of several.
    """
    shown = []
    names = copies_names(results)
    for name, records in results.copies.items():
        for record in records[: 1 if len(results.sets) > 1 else None]:
            pairs = []
            for i, pair in enumerate(record.closest):
                images = [slices[key] for key in of_pair(name, record.space, i)]
                pairs.append((*zip(pair.names, images, strict=True), number(pair.distance)))

            histogram = drawn[names[name, record.space]]
            shown.append(
                {"name": name, "space": record.space, "histogram": histogram, "pairs": pairs}
            )
    return shown


def small(p: float) -> str:
    """Return a p value as text, `< 0.001` where it is smaller."""
    return "< 0.001" if p < 1e-3 else f"{p:.3f}"


def say(results: Results, out: Path) -> None:
    """Print the main metrics, what is missing, and where to look."""
    printed = [metric.key for metric in registry.METRICS if metric.printed]
    for extractor in results.extractors:
        print(
            f"\n{extractor.label}, against {results.reference.n} volumes of "
            f"{results.reference.name}"
        )
        for key in printed:
            for name, found in results.sets.items():
                if score := found.score(f"{extractor.key}/{key}"):
                    print(sentence(name, score))

    for name, found in results.sets.items():
        for score in found.scores:
            if (
                score.key.startswith(("copies/", "lesions/"))
                and score.key.rpartition("/")[2] in printed
            ):
                print(sentence(name, score))
    for text in results.notes:
        print(f"note: {text}")
    for name, said in results.verdict.items():
        print(f"\n{name}:", said.fails, said.fine, said.unsure, sep="\n  ")
    print(f"look at {out / 'index.html'}")


def sentence(name: str, score: Score) -> str:
    """Return a value with what stands beside it."""
    text = f"  {name:24} {score.label:28} {number(score.value):>9}"
    if score.interval:
        text += f" [{number(score.interval.low)}, {number(score.interval.high)}]"

    beside = [f"{kind} {number(b.mean)}" for kind, b in score.beside.items()]
    first = next(iter(score.beside.values()), None)
    return text + (f"; at n = {first.n}: {', '.join(beside)}" if first else "")
