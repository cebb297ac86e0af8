"""Table 2: x against u, with tests over training seeds."""

from __future__ import annotations

import math

from neuromf.paper.arms_table import Arms, Group, read_arms
from neuromf.paper.booktabs import NONE, Block, Cell, Table
from neuromf.paper.missing import MissingError, of_error
from neuromf.paper.prediction_figure import SPACES, Space, chosen
from neuromf.paper.sources import Sources
from neuromf.study.comparing import Result

BASIS = "x"  # what the others are tested against
MEASURES = {
    "torus": {"1 call": "distance_1", "5 calls": "distance_5", "50 calls": "distance_50"},
    "blobs": {"1 call": "distance_1", "5 calls": "distance_5"},
    "brains": {"FID, 2.5D": "random-2.5d/fid", "FID, 3D": "random-3d/fid", "MS-SSIM": "ms_ssim"},
}


def table(sources: Sources) -> Table:
    """Return the table: a block for each space."""
    blocks = [_block(sources, space, part) for part, space in SPACES.items()]
    caption = (
        "What the network predicts, at $p = 2$: mean $\\pm$ standard deviation over training seeds "
        f"(their number in column two). $p$ is of the difference to {BASIS} in the column before "
        "it: Games and Howell's comparisons, corrected for the places on the study's other axes. "
        "On the torus and the blobs numbers are distances of samples to the data; brains are short "
        "trainings, whose FID is in the features of an untrained network."
    )
    return Table(2, "prediction", caption, blocks)


def _block(sources: Sources, space: Space, part: str) -> Block:
    measures = MEASURES[space.key.partition(".")[2]]
    columns = ["prediction", "seeds"]
    for name in measures:
        columns += [name, "p"]
    heading = space.name
    try:
        arms = read_arms(sources, space.key)
        return Block(heading, columns, _rows(arms, space, measures))
    except MissingError as error:
        return Block(heading, columns, missing=of_error(f"Table 2{part}", error))


def _rows(arms: Arms, space: Space, measures: dict[str, str]) -> list[list[Cell]]:
    found = {name: arms.measure(ending) for name, ending in measures.items()}
    groups = {name: chosen(arms, space, measure) for name, measure in found.items()}
    labels = [k for k in space.labels if any(k in own for own in groups.values())]
    if not labels:
        raise MissingError(space.key, f"{arms.given.text} has no arm of {', '.join(space.labels)}")

    tests = {name: arms.tests(space.axis, measure) for name, measure in found.items()}
    rows = []
    for label in labels:
        seeds = sorted({len(own[label].seeds) for own in groups.values() if label in own})
        row = [Cell(space.labels[label]), Cell(" to ".join(map(str, seeds)))]
        for name, own in groups.items():
            row.append(mean_cell(own.get(label), arms))
            row.append(p_cell(own.get(BASIS), own.get(label), tests[name], arms))
        rows.append(row)
    return rows


def mean_cell(group: Group | None, arms: Arms) -> Cell:
    """Return mean ± standard deviation over seeds; a dash where no seed has a value."""
    if group is None:
        return Cell(NONE)
    text = shown(group.mean, group.std)
    data = {"mean": group.mean, "std": group.std, "n": len(group.seeds)}
    return Cell(text, data | {"group": group.name} | arms.cited.cells)


def p_cell(basis: Group | None, other: Group | None, tests: list[Result], arms: Arms) -> Cell:
    """Return the corrected p of two groups' difference; empty for the basis itself, a dash where
    there is no test.
    """
    if basis is None or other is None or basis.name == other.name:
        return Cell("")
    pair = {basis.name, other.name}
    test = next((t for t in tests if len(t.groups) == 2 and set(t.groups) == pair), None)
    if test is None or not math.isfinite(test.p_holm):
        return Cell(NONE)
    text = "<0.001" if test.p_holm < 0.001 else f"{test.p_holm:.3f}"
    data = {"p": test.p, "p_holm": test.p_holm, "test": test.test, "difference": test.difference}
    return Cell(text, data | arms.cited.cells)


def shown(mean: float, std: float) -> str:
    """Return mean ± standard deviation to the digits that the latter leaves: 0.0990 ± 0.0052."""
    if not math.isfinite(std) or std == 0:
        return f"{mean:.4g}"
    places = max(0, 1 - math.floor(math.log10(std)))
    return f"{mean:.{places}f} ± {std:.{places}f}"
