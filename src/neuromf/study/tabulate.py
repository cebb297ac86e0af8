"""`neuromf tabulate`: the table of a study, its tests with effect sizes, and what cannot be told.

The unit of replication is the training seed: one training is one value, however many samples it
was measured on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuromf.reporting import plots
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output, local_path
from neuromf.runtime.run import open_run
from neuromf.runtime.tables import write_table
from neuromf.study import rows
from neuromf.study.figures import draw_front, draw_measure
from neuromf.study.latex import latex
from neuromf.study.tables import Tables, tables_of
from neuromf.study.tabulate_page import page, text

FORMAT = 1  # of tables.json
TABLES = ("table.csv", "arms.csv", "tests.csv", "table.tex", "tables.json")
OUTPUT = Output("tabulate", (*TABLES, "index.html", "figures/*.png"))


@dataclass(frozen=True)
class TabulateConfig:
    """Which study, and which of its measures."""

    study: str = ""  # a folder that sweep wrote
    # names or patterns such as */fid; those of the last step that its verb shows, if empty
    measures: tuple[str, ...] = ()
    baseline: str = ""  # a group that all others are compared with too
    seed: int = 0  # of the bootstrap

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}: 0 or more")


def run(
    config: TabulateConfig, out: Path, *, resume: bool = False, overwrite: bool = False
) -> Tables:
    """Write tables, figures and a page of the study into `out`, print the table in short, and
    return what they hold.

    Raises FileNotFoundError for a folder that is no study, RecordError for one of another format,
    ValueError where no arm has finished, or a measure or the baseline is not known.
    """
    if not config.study:
        raise ValueError("study= is needed: a folder that `neuromf sweep` wrote")
    folder = local_path(config.study)
    tables = tables_of(folder, config.measures, config.baseline, config.seed)
    with open_run(out, config, OUTPUT, [config.study], resume=resume, overwrite=overwrite):
        write(tables, out)
        print(text(tables))
        print(f"look at {out / 'index.html'}")
    return tables


def write(tables: Tables, out: Path) -> None:
    """Write the files of a study's tables into a folder."""
    collected = tables.collected
    of_groups, of_arms = rows.group_rows(tables.summaries), rows.arm_rows(collected)
    tests = rows.result_rows(tables.results)
    write_table(out / "table.csv", of_groups)
    write_table(out / "arms.csv", of_arms)
    write_table(out / "tests.csv", tests, ("family", "at", "measure", "test"))
    write_text(out / "table.tex", latex(collected, tables.summaries))

    measures = [{"name": m.name, "step": m.step, "better": m.better} for m in collected.measures]
    told: dict[str, Any] = {"warnings": tables.warnings, "limits": tables.limits}
    if tables.front:
        fid, ssim, groups = tables.front
        told["pareto"] = {"fid": fid, "ssim": ssim, "groups": groups}
    head = {"format": FORMAT, "study": str(collected.folder), "measures": measures}
    parts = {"groups": of_groups, "arms": of_arms, "tests": tests}
    write_json(out / "tables.json", head | told | parts)
    write_text(out / "index.html", page(tables, _drawn(tables, out), out))


def _drawn(tables: Tables, out: Path) -> dict[str, Path]:
    """Write the figures, and return them by measure, and the front's as `front`."""
    (out / "figures").mkdir(exist_ok=True)
    drawn = {}
    for number, measure in enumerate(tables.collected.measures, start=1):
        figure = draw_measure(tables.collected, measure, tables.summaries)
        drawn[measure.name] = plots.save(out / "figures" / f"measure-{number}.png", figure)
    if tables.front and tables.front[2]:
        figure = draw_front(tables.collected, tables.summaries, *tables.front)
        drawn["front"] = plots.save(out / "figures" / "front.png", figure)
    return drawn
