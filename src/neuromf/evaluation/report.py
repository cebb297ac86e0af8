"""scores.json, a table and one HTML page of an evaluation or a comparison."""

from __future__ import annotations

import itertools
import math
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import torch

from neuromf.data.reading import picture
from neuromf.evaluation import plots as figures
from neuromf.evaluation.run import Judged, Results
from neuromf.evaluation.score import Score, finite
from neuromf.evaluation.sets import Item
from neuromf.evaluation.tables import grouped, number
from neuromf.evaluation.verdict import Verdict, verdict
from neuromf.metrics.intervals import holm, p_of_difference
from neuromf.reporting.slices import data_uri, save
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.tables import write_table

RESULT_FILES = (
    *("scores.json", "scores.csv", "rejected.csv", "index.html", "figures/*.png"),
    "reconstructions/*.nii.gz",
)
MERITS = ("fid", "kid", "swd")


def write_results(results: Results, out: Path, title: str) -> dict[str, Any]:
    """Write scores.json, scores.csv, figures and index.html; return what scores.json holds."""
    record = as_json(results)
    write_json(out / "scores.json", record)
    write_table(out / "scores.csv", rows(results))
    drawn = pictures(results)
    (out / "figures").mkdir(exist_ok=True)
    for name, image in drawn.items():
        save(out / "figures" / f"{name}.png", image)
    write_text(out / "index.html", page(results, record, drawn, title))
    return record


def as_json(results: Results) -> dict[str, Any]:
    """Return all figures as plain values."""
    return {
        "verdict": {j.name: verdict_on(j, results)._asdict() for j in results.sets},
        "reference": {"name": results.reference.name, "n": len(results.reference.material)},
        "extractors": [
            {"name": m.name, "label": m.label, "sha256": m.sha256, "trained": m.trained}
            for m in results.extractors
        ],
        "protocol": {
            k: getattr(results.bench.config, k)
            for k in ("n", "pairs", "bootstrap", "draws", "seed", "real")
        },
        "vae": results.vae or None,
        "regions_by": results.method or None,
        "sets": {
            j.name: {"n": len(j.material), "scores": [s.to_json() for s in j.scores]}
            for j in results.sets
        },
        "region_ml": {
            j.name: region_summary(j)
            for j in [results.reference, *results.sets]
            if j.material.sizes
        },
        "differences": differences(results),
        "copies": {j.name: [closest(c) for c in j.copies] for j in results.sets if j.copies},
        "rejected": results.bench.rejected,
        "notes": results.notes,
    }


def verdict_on(judged: Judged, results: Results) -> Verdict:
    """Return the three sentences on one set."""
    bench, reference = results.bench, results.reference.material
    untrained = [
        n for n, m in zip(bench.config.extractors, results.extractors, strict=True) if not m.trained
    ]
    identical = bench.equal_files(judged.material, reference)
    return verdict(judged.scores, len(judged.material), len(reference), untrained, identical)


def region_summary(judged: Judged) -> dict[str, dict[str, float | None]]:
    """Return mean and standard deviation of each region in ml."""
    found = {name: v[torch.isfinite(v)] for name, v in judged.material.sizes.items()}
    return {
        name: {
            "mean": finite(float(v.mean())),
            "std": finite(float(v.std())) if len(v) > 1 else None,
        }
        for name, v in found.items()
    }


def closest(copies: Any) -> dict[str, Any]:
    """Return the samples nearest to training volumes."""
    pairs = [
        {"sample": str(a.path), "training": str(b.path), "names": [a.name, b.name], "distance": d}
        for a, b, d in copies.closest
    ]
    return {
        "space": copies.space,
        "threshold": finite(copies.memorisation.threshold),
        "closest": pairs,
    }


def differences(results: Results) -> list[dict[str, Any]]:
    """Return, for each metric with replicates and each two sets, the p of their
    being equal, corrected (Holm).
    """
    out = []
    keys = dict.fromkeys(s.key for j in results.sets for s in j.scores if s.replicates is not None)
    for key in keys:
        found = [
            (j.name, s)
            for j in results.sets
            if (s := j.score(key)) is not None and s.replicates is not None
        ]
        pairs = list(itertools.combinations(found, 2))
        p = [chance_of(a, b) for (_, a), (_, b) in pairs]
        for ((one, a), (other, b)), raw, corrected in zip(pairs, p, holm(p), strict=True):
            out.append(
                {
                    "key": key,
                    "a": one,
                    "b": other,
                    "difference": finite(a.value - b.value),
                    "p": finite(raw),
                    "p_holm": finite(corrected),
                }
            )
    return out


def chance_of(a: Score, b: Score) -> float:
    """Return the p of two scores being equal, 1 where too few volumes tell."""
    if a.replicates is None or b.replicates is None:
        return 1.0
    p = p_of_difference(a.value, b.value, a.replicates, b.replicates, min(a.n, b.n, a.m))
    return p if math.isfinite(p) else 1.0


def rows(results: Results) -> list[dict[str, Any]]:
    """Return one row a set and metric."""
    table = []
    for judged in results.sets:
        for s in judged.scores:
            low, high = s.interval or (math.nan, math.nan)
            row = {
                "set": judged.name,
                "metric": s.key,
                "label": s.label,
                "value": s.value,
                "low": low,
                "high": high,
            }
            row |= {"n": s.n, "reference": s.m, "better": s.better}
            for name in ("samples", "reconstruction", "real"):
                b = s.beside.get(name)
                row |= {
                    f"equal_n.{name}": b.mean if b else "",
                    f"equal_n.{name}.std": b.std if b else "",
                }
                row |= {
                    f"equal_n.{name}.n": b.n if b else "",
                    f"equal_n.{name}.reference": b.m if b else "",
                }
            table.append(row | {"note": s.note})
    return table


def pictures(results: Results) -> dict[str, Any]:
    """Return every figure by name."""
    found: dict[str, Any] = {
        "volumes": figures.contact(results),
        "spectra": figures.spectra(results),
    }
    boxes = figures.regions(results)
    if boxes is not None:
        found["regions"] = boxes
    if len(results.sets) > 1:
        for name in results.bench.config.extractors:
            keys = [
                f"{name}/{m}" for m in MERITS if any(j.score(f"{name}/{m}") for j in results.sets)
            ]
            if keys:
                found[f"merits-{safe(name)}"] = figures.merits(results, keys)
    for judged in results.sets:
        for copies in judged.copies:
            found[f"copies-{safe(judged.name)}-{safe(copies.space)}"] = figures.distances(copies)
    return found


def page(results: Results, record: dict[str, Any], drawn: dict[str, Any], title: str) -> str:
    """Return the HTML page."""
    source = (resources.files("neuromf") / "evaluation" / "page.html").read_text(encoding="utf-8")
    shown = [
        {
            "name": judged.name,
            "space": copies.space,
            "histogram": data_uri(drawn[f"copies-{safe(judged.name)}-{safe(copies.space)}"]),
            "pairs": [(drawn_of(a), drawn_of(b), number(d)) for a, b, d in copies.closest],
        }
        for judged in results.sets
        for copies in judged.copies[: 1 if len(results.sets) > 1 else None]
    ]
    return jinja2.Template(source, autoescape=True).render(
        title=title,
        results=results,
        record=record,
        groups=grouped(results),
        drawn={name: data_uri(image) for name, image in drawn.items()},
        copies=shown,
        several=len(results.sets) > 1,
        number=number,
        small=small,
        significant=[
            d
            for d in record["differences"]
            if d["key"].endswith("/fid") or d["key"].endswith("/kid")
        ],
    )


def drawn_of(item: Item) -> dict[str, str]:
    """Return a volume's name and slices of it, for the page."""
    return {"name": item.name, "image": data_uri(picture(item.path))}


def small(p: float) -> str:
    """Return a p as a reader wants it: none below 0.001."""
    return "< 0.001" if p < 1e-3 else f"{p:.3f}"


def safe(name: str) -> str:
    """Return a name that can be a file's."""
    return "".join(c if c.isalnum() or c in "-." else "_" for c in name)


def say(results: Results, out: Path) -> None:
    """Print the main figures, what is missing, and where to look."""
    for extractor in results.extractors:
        print(
            f"\n{extractor.label}, against {len(results.reference.material)} volumes of "
            f"{results.reference.name}"
        )
        for metric in ("fid", "kid", "precision", "recall"):
            for judged in results.sets:
                wanted = (
                    s for s in judged.scores if s.key == f"{name_of(results, extractor)}/{metric}"
                )
                for score in wanted:
                    print(sentence(judged.name, score))
    for judged in results.sets:
        for score in (s for s in judged.scores if s.key.endswith("/flagged")):
            print(sentence(judged.name, score))
    for text in results.notes:
        print(f"note: {text}")
    for judged in results.sets:
        print(f"\n{judged.name}:", *verdict_on(judged, results), sep="\n  ")
    print(f"look at {out / 'index.html'}")


def name_of(results: Results, extractor: Any) -> str:
    """Return the name that an extractor was asked for by."""
    return results.bench.config.extractors[results.extractors.index(extractor)]


def sentence(name: str, score: Score) -> str:
    """Return a figure with what it stands beside."""
    text = f"  {name:24} {score.label:28} {number(score.value):>9}"
    if score.interval:
        text += f" [{number(score.interval.low)}, {number(score.interval.high)}]"
    beside = [f"{k} {number(b.mean)}" for k, b in score.beside.items()]
    first = next(iter(score.beside.values()), None)
    return text + (f"; at n = {first.n}: {', '.join(beside)}" if first else "")
