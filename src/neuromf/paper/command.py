"""`neuromf paper`: the figures and tables of the paper, from runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from neuromf.paper import (
    brains_figure,
    calls_figure,
    exponents_figure,
    exponents_table,
    lesions_figure,
    main_table,
    method_figure,
    pairs_table,
    prediction_figure,
    prediction_table,
    regions_figure,
    torus_figure,
)
from neuromf.paper.booktabs import Table
from neuromf.paper.config import PaperConfig
from neuromf.paper.document import document
from neuromf.paper.drawn import Drawn
from neuromf.paper.published import bibtex, read_published
from neuromf.paper.sources import Sources
from neuromf.runtime.files import write_json, write_text
from neuromf.runtime.folders import Output
from neuromf.runtime.progress import progress
from neuromf.runtime.run import open_run

FORMAT = 1  # of sources.json
FIGURES: Sequence[Callable[[Sources], Drawn]] = (
    method_figure.draw,
    torus_figure.draw,
    brains_figure.draw,
    calls_figure.draw,
    exponents_figure.draw,
    prediction_figure.draw,
    lesions_figure.draw,
    regions_figure.draw,
)
TABLES: Sequence[Callable[[Sources], Table]] = (
    main_table.table,
    prediction_table.table,
    exponents_table.table,
    pairs_table.table,
)
FILES = ("paper.tex", "references.bib", "sources.json", "figures/*", "tables/*")
# what LaTeX leaves beside paper.tex
COMPILED = tuple(
    f"paper.{end}" for end in ("pdf", "aux", "log", "bbl", "blg", "fls", "fdb_latexmk")
)
OUTPUT = Output("paper", FILES, loose=COMPILED)


def run(config: PaperConfig, out: Path, *, resume: bool = False, overwrite: bool = False) -> int:
    """Write figures/, tables/, paper.tex, references.bib and sources.json into `out`, print what
    is missing, and return 0: a gap is drawn, it is no failure.

    Raises ConfigError for unknown keys in the file of sources, DifferentDataError where two runs
    of one comparison are of other data.
    """
    sources = Sources(config)
    inputs = [config.sources, *sources.paths]
    with open_run(out, config, OUTPUT, inputs, resume=resume, overwrite=overwrite):
        figures, tables = make(sources, out)
        published, cited = read_published()
        missing = [m for drawn in figures for m in drawn.missing]
        missing += [m for table in tables for m in table.missing]
        write_text(out / "references.bib", bibtex(published.references))
        write_text(out / "paper.tex", document(figures, tables))

        gaps = [asdict(m) | {"command": m.command} for m in missing]
        files = [*sources.record(), asdict(cited)]
        record = {"format": FORMAT, "sources": config.sources, "files": files, "missing": gaps}
        write_json(out / "sources.json", record)
        print(f"{len(figures)} figures, {len(tables)} tables from {len(files)} files")
        for m in missing:
            print(f"{m.part}: {m.text}")
        print(f"look at {out / 'figures'}; latexmk -pdf in {out} makes paper.pdf")
    return 0


def make(sources: Sources, out: Path) -> tuple[list[Drawn], list[Table]]:
    """Draw and write every figure and table, and return them."""
    for name in ("figures", "tables"):
        (out / name).mkdir(exist_ok=True)

    figures, tables = [], []
    with progress("figures and tables") as bar:
        task = bar.add_task("paper", total=len(FIGURES) + len(TABLES))
        for draw in FIGURES:
            figures.append(draw(sources))
            figures[-1].write(out / "figures")
            bar.advance(task)
        for table in TABLES:
            tables.append(table(sources))
            tables[-1].write(out / "tables")
            bar.advance(task)
    return figures, tables
