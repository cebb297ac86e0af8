"""Table 4: joint synthesis of image and lesion mask. What pairs are worth to a segmentation, and
how near they are to real ones.
"""

from __future__ import annotations

from typing import Any

from neuromf.evaluation.results import read_scores
from neuromf.evaluation.score import Score
from neuromf.paper.booktabs import NONE, Block, Cell, Table
from neuromf.paper.missing import MissingError, of_error
from neuromf.paper.sources import Cited, Sources, finished_run, reading
from neuromf.runtime.records import read_json_object

USES = ("trained on", "real people", "cases", "seeds", "Dice", "seed sd", "to real alone", "better")
FORCED = "It was forced"  # in a note of an evaluation against training people
SHOWN = (  # scores of pairs, by key
    *("lesions/empty", "lesions/ml/wasserstein", "lesions/components/wasserstein"),
    *("lesions/sphericity/wasserstein", "lesions/contrast/wasserstein", "lesions/place.r"),
    *("lesions/dice.aligned", "lesions/hausdorff95.aligned"),
)


def table(sources: Sources) -> Table:
    """Return the table: Dice on real people left out, and the scores of generated pairs."""
    caption = (
        "Joint synthesis of image and lesion mask. Above: Dice on real people who are left out, of "
        "networks trained with and without generated pairs; brackets are 95\\,\\% intervals over "
        "people (Student's t), seed sd the standard deviation of the mean over seeds, better how "
        "many people gain over real data alone. Below: generated pairs against real ones; brackets "
        "are 95\\,\\% intervals over volumes."
    )
    return Table(4, "pairs", caption, [_uses(sources), _scores(sources)], small=True)


def _uses(sources: Sources) -> Block:
    heading = "Segmentation of real lesions"
    try:
        given = sources.one("usefulness")
        finished_run(given, "usefulness")

        path = given.path / "usefulness.json"
        with reading(given):
            lines = read_json_object(path)["lines"]
            cited = sources.cite(given, path)
            rows = [_line(line, cited) for line in lines]
    except MissingError as error:
        return Block(heading, USES, missing=of_error("Table 4a", error))
    return Block(heading, USES, rows)


def _line(line: dict[str, Any], cited: Cited) -> list[Cell]:
    cells = cited.cells
    row = [Cell(str(line["arm"])), Cell(str(line["size"])), Cell(str(line["cases"]))]
    row.append(Cell(str(line["seeds"])))
    row.append(_with_interval(line, "dice", cells))
    sd = line["seed_sd"]
    row.append(Cell(NONE if sd is None else f"{sd:.3f}", {"std": sd, "n": line["seeds"]} | cells))
    if "difference" not in line:
        return [*row, Cell(""), Cell("")]
    better = f"{line['better']} of {line['cases']}"
    return [*row, _with_interval(line, "difference", cells), Cell(better, cells)]


def _with_interval(line: dict[str, Any], name: str, cells: dict[str, str]) -> Cell:
    low, high = line[f"{name}_interval"]
    sign = "+" if name == "difference" else ""
    text = f"{line[name]:{sign}.3f}"
    if low is not None and high is not None:
        text += f" [{low:{sign}.3f}, {high:{sign}.3f}]"
    return Cell(text.replace("-", "−"), {"value": line[name], "low": low, "high": high} | cells)


def _scores(sources: Sources) -> Block:
    heading = "Generated pairs against real ones"
    try:
        given = sources.one("pairs_evaluation")
        finished_run(given, "evaluate", "compare")
        path = given.path / "scores.json"
        with reading(given):
            results = read_scores(path)
        cited = sources.cite(given, path)
        first = next(iter(results.sets.values()))
        keys = [key for key in SHOWN if first.score(key) is not None]
        if not keys:
            raise MissingError(given.key, f"{given.text} has no scores of lesions")
    except MissingError as error:
        return Block(heading, ("score",), missing=of_error("Table 4b", error))

    rows = []
    for key in keys:
        label = next(s.score(key) for s in results.sets.values())
        row = [Cell(label.label if label else key)]
        row += [_score(record.score(key), cited) for record in results.sets.values()]
        rows.append(row)
    counts = [f"{name} (n = {record.n})" for name, record in results.sets.items()]
    align = "L{2.3in}" + "r" * len(counts)
    heading = f"{heading}: {results.reference.n} real"
    forced = next((note for note in results.notes if FORCED in note), "")
    if forced:
        heading += f" ({forced.partition(' (')[0]})"  # without the name of the first of them
    return Block(heading, ("score", *counts), rows, align=align)


def _score(score: Score | None, cited: Cited) -> Cell:
    if score is None:
        return Cell(NONE)
    text, data = f"{score.value:.3g}", {"measure": score.key, "value": score.value, "n": score.n}
    if score.interval is not None:
        low, high = score.interval
        text += f" [{low:.3g}, {high:.3g}]"
        data |= {"low": low, "high": high}
    return Cell(text.replace("-", "−"), data | cited.cells)
