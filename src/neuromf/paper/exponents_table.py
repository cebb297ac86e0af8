"""Table 3: the exponent p of the loss, with tests over training seeds."""

from __future__ import annotations

from neuromf.paper.arms_table import Arms, Group, read_arms
from neuromf.paper.booktabs import Block, Cell, Table
from neuromf.paper.exponents import DEFAULT, by_exponent
from neuromf.paper.missing import MissingError, of_error
from neuromf.paper.prediction_figure import SPACES
from neuromf.paper.prediction_table import MEASURES, mean_cell, p_cell
from neuromf.paper.sources import Sources

# block -> space, prediction of the study that is shown, axis along which is tested
BLOCKS = {"a": ("a", "x", "p"), "b": ("c", "", "arm")}


def table(sources: Sources) -> Table:
    """Return the table: the torus and brains."""
    blocks = []
    for part, (space, prediction, axis) in BLOCKS.items():
        key, heading = SPACES[space].key, SPACES[space].name
        heading += f", {prediction}-prediction" if prediction else ", Gaussian's flow"
        measures = MEASURES[key.partition(".")[2]]
        columns = ["exponent", "seeds", *(c for name in measures for c in (name, "p"))]
        try:
            arms = read_arms(sources, key)
            blocks.append(Block(heading, columns, _rows(arms, prediction, axis, measures)))
        except MissingError as error:
            blocks.append(Block(heading, columns, missing=of_error(f"Table 3{part}", error)))

    caption = (
        "Exponent of the loss: mean $\\pm$ standard deviation over training seeds (their number in "
        f"column two). $p$ is of the difference to exponent {DEFAULT:g}, in the column before it: "
        "Games and Howell's comparisons, corrected for the places on the study's other axes."
    )
    return Table(3, "exponents", caption, blocks)


def _rows(arms: Arms, prediction: str, axis: str, measures: dict[str, str]) -> list[list[Cell]]:
    found = {name: arms.measure(ending) for name, ending in measures.items()}
    groups: dict[str, dict[float, Group]] = {
        name: by_exponent(arms.groups(measure), prediction) for name, measure in found.items()
    }
    exponents = sorted({p for own in groups.values() for p in own})
    if not exponents:
        raise MissingError(arms.given.key, f"{arms.given.text} varies no exponent")

    tests = {name: arms.tests(axis, measure) for name, measure in found.items()}
    rows = []
    for p in exponents:
        seeds = sorted({len(own[p].seeds) for own in groups.values() if p in own})
        row = [Cell(f"{p:g}"), Cell(" to ".join(map(str, seeds)))]
        for name, own in groups.items():
            row.append(mean_cell(own.get(p), arms))
            row.append(p_cell(own.get(DEFAULT), own.get(p), tests[name], arms))
        rows.append(row)
    return rows
