"""Table 1: quality, calls and seconds a brain, ours as measured; what others published stands in a
block of its own, each figure with its feature network and hardware, and is not ranked with ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neuromf.paper.booktabs import NONE, Block, Cell, Table
from neuromf.paper.comparison import Comparison, Point, read_comparison
from neuromf.paper.missing import MissingError, of_error
from neuromf.paper.prediction_table import shown
from neuromf.paper.published import Model, read_published
from neuromf.paper.sources import Cited, Sources, reading
from neuromf.runtime.records import read_json_object

FIDS = {"FID 2.5D ↓": "2.5d", "FID 3D ↓": "3d"}  # heading -> kind of the networks
SCORES = {"MS-SSIM": "ms_ssim", "SSIM": "/ssim"}  # heading -> how the key of the score ends
OURS = ("model", "calls", *FIDS, *SCORES, "s a brain")
TIMES = ("size", "precision", "calls", "network, s", "decoder, s", "brain, s", "hardware")
THEIRS = ("model", "data", "FID ↓", "features", "N", "SSIM", "calls", "seconds", "hardware")
# widths of the columns whose text is broken into lines
WRAPPED = "L{1.15in}L{1.05in}rL{0.9in}rrL{0.45in}L{0.62in}L{0.66in}"
BESIDE = {"reconstruction": "VAE reconstructions", "real": "real people"}


def table(sources: Sources) -> Table:
    """Return the table. Raises DifferentDataError where runs of compare are of other data."""
    blocks = [_ours(sources), _times(sources), _theirs()]
    caption = (
        "Main comparison. Ours: FID in the features of the networks named in Figure 4, against "
        "held-out people; MS-SSIM between volumes of a set (the nearer to real people's the "
        "better) and SSIM to the nearest real volume rank nothing by themselves; mean $\\pm$ "
        "standard deviation over training seeds where there are several. Published: as cited, of "
        "other data, features and machines, not to be ranked with ours nor with one another where "
        f"these differ; {NONE} was not found; where each was read stands in the table's CSV. "
        "Seconds: network + decoder where both are told; in the first block those of the run that "
        "drew the samples, which other work on its machine may have slowed."
    )
    return Table(1, "main", caption.replace(NONE, "--"), blocks, small=True)


def _ours(sources: Sources) -> Block:
    heading = "Ours, measured"
    try:
        comparison = read_comparison(sources)
    except MissingError as error:
        return Block(heading, OURS, missing=of_error("Table 1a", error))

    keys = {name: next(iter(comparison.fids(kind)), "") for name, kind in FIDS.items()}
    keys |= {name: next(iter(comparison.keys(end)), "") for name, end in SCORES.items()}
    rows = [
        _point_row(comparison, point, keys)
        for points in comparison.series().values()
        for point in points
    ]
    rows += [_beside_row(comparison, kind, keys) for kind in BESIDE]
    n = next(iter(comparison.first.sets.values())).n
    people, runs = comparison.first.reference.n, len(comparison.runs)
    seeds = f"{runs} training seed{'s' * (runs > 1)}"
    return Block(f"{heading}: {n} volumes, {people} held-out people, {seeds}", OURS, rows)


def _point_row(comparison: Comparison, point: Point, keys: Mapping[str, str]) -> list[Cell]:
    row = [Cell(point.series), Cell(str(point.calls), {"calls_from": point.calls_from})]
    for key in keys.values():
        values = point.values(key)
        if not values:
            row.append(Cell(NONE))
            continue
        below, above = point.spread(key)
        several = len(values) > 1
        text = shown(point.mean(key), below) if several else f"{point.mean(key):.4g}"
        data = {"measure": key, "mean": point.mean(key), "n": len(values)}
        data |= {"std": below} if several else {"below": below, "above": above}
        row.append(Cell(text, data | comparison.cells(values)))

    if point.seconds is None or point.timing is None:
        return [*row, Cell(NONE)]
    return [*row, Cell(f"{point.seconds:.3g}", {"seconds": point.seconds} | point.timing.cells)]


def _beside_row(comparison: Comparison, kind: str, keys: Mapping[str, str]) -> list[Cell]:
    """Return the scores of real people, or of reconstructions, at the numbers of the sets."""
    record = next(iter(comparison.first.sets.values()))
    row = [Cell(BESIDE[kind]), Cell("")]
    for key in keys.values():
        score = record.score(key)
        beside = score.beside.get(kind) if score else None
        if beside is None or not math.isfinite(beside.mean):
            row.append(Cell(NONE))
            continue
        data = {"measure": key, "mean": beside.mean, "std_draws": beside.std, "volumes": beside.n}
        row.append(Cell(f"{beside.mean:.4g}", data | comparison.runs[0].cited.cells))
    return [*row, Cell("")]


def _times(sources: Sources) -> Block:
    """Return the seconds that benchmarks/generate.py measured."""
    heading = "Ours, seconds a brain by size (benchmarks)"
    align = "llrrrrl"

    try:
        given = sources.one("benchmarks")
        rows: list[list[Cell]] = []
        for path in sorted(given.path.glob("generation-*.json")):
            with reading(given):
                rows += _time_rows(read_json_object(path), sources.cite(given, path))
        if not rows:
            raise MissingError(given.key, f"{given.text} holds no generation-*.json")
    except MissingError as error:
        return Block(heading, TIMES, missing=of_error("Table 1b", error), align=align)
    return Block(heading, TIMES, rows, align=align)


def _time_rows(record: dict[str, Any], cited: Cited) -> list[list[Cell]]:
    rows = []
    decoder = f", {record['decoder']}" if record.get("decoder") else ""
    for calls, seconds in record["seconds"].items():
        row = [Cell(record["size"] + decoder), Cell(record["precision"]), Cell(calls)]
        for part in ("network", "decode", "end_to_end"):
            row.append(Cell(f"{seconds[part]:.3g}", {"seconds": seconds[part]} | cited.cells))
        rows.append([*row, Cell(record["hardware"].get("gpu") or record["hardware"]["cpu"])])
    return rows


def _theirs() -> Block:
    published, cited = read_published()
    rows = [_model_row(model, cited) for model in published.models]
    return Block("Published, as cited (not ranked with ours)", THEIRS, rows, align=WRAPPED)


def _model_row(model: Model, cited: Cited) -> list[Cell]:
    told = {"where": model.where, "read": model.read, "not_found": model.not_found}
    told |= {"reference": model.cite} | cited.cells
    values: list[object] = [model.data, model.fid, model.network, model.n, model.ssim]
    values += [model.nfe, model.seconds, model.hardware]
    name = Cell(model.name, latex=f"{model.name} \\cite{{{model.cite}}}")
    return [name, *(Cell(NONE if v is None else str(v), told) for v in values)]
