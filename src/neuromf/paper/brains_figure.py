"""Figure 3: real and generated brains in three planes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuromf.data.reading import read_volume
from neuromf.paper.drawn import Drawn, Rows
from neuromf.paper.missing import Missing, MissingError, draw_missing, of_error
from neuromf.paper.sources import Given, Sources, reading
from neuromf.paper.style import TEXT, WIDE, narrow_gaps, page
from neuromf.paper.volumes import generated, held_out
from neuromf.reporting.slices import slices

N = 2  # brains in each row
HEIGHT = 2.66
LANES = {"a": "real", "b": "generated"}


def draw(sources: Sources) -> Drawn:
    """Return the figure: a row of real brains, and one of generated ones."""
    rows: Rows = []
    missing: list[Missing] = []
    with page(WIDE, HEIGHT) as figure:
        narrow_gaps(figure)
        grid = figure.add_gridspec(2, N)
        for number, (panel, name) in enumerate(LANES.items()):
            try:
                shown = _real(sources) if panel == "a" else _generated(sources)
            except MissingError as error:
                missing.append(of_error(f"Figure 3{panel}", error))
                axes = figure.add_subplot(grid[number, :])
                draw_missing(axes, missing[-1])
                axes.set_ylabel(name, fontsize=TEXT)
                continue

            for column, (path, given) in enumerate(shown):
                axes = figure.add_subplot(grid[number, column])
                row = {"panel": panel, "series": name, "volume": path.name}
                rows.append(row | _draw_brain(axes, sources, given, path))
                axes.set_ylabel("" if column else name, fontsize=TEXT)
    return Drawn(3, "brains", figure, _caption(rows), rows, missing)


def _real(sources: Sources) -> list[tuple[Path, Given]]:
    given = sources.one("volumes")
    shown = [(entry.path, given) for entry in held_out(given, sources.people, N)[:N]]
    gone = [path.name for path, _ in shown if not path.is_file()]
    if gone:
        raise MissingError(given.key, f"{given.text} lacks {gone[0]}")
    return shown


def _generated(sources: Sources) -> list[tuple[Path, Given]]:
    given = sources.one("samples")
    return [(path, given) for path in generated(given)[:N]]


def _draw_brain(axes: Any, sources: Sources, given: Given, path: Path) -> dict[str, str]:
    """Draw the three middle planes of a volume; return the file's source and hash."""
    with reading(given):
        picture = slices(read_volume(path).canonical().voxels)
    axes.imshow(picture, vmin=0, vmax=255, cmap="gray")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return sources.cite(given, path).cells


def _caption(rows: Rows) -> str:
    counts = {name: sum(row["series"] == name for row in rows) for name in LANES.values()}
    said = [f"{n} {name}" for name, n in counts.items() if n]
    shown = " and ".join(said) if said else "no brains were given"
    return (
        f"Middle sagittal, coronal and axial planes ({shown}). Real ones are held-out people; "
        "generated ones are the first of their seed, not selected."
    )
