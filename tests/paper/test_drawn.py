"""The files of a figure: PDF, PNG and its data."""

import csv

from neuromf.paper.drawn import Drawn
from neuromf.paper.missing import NOT_GIVEN, Missing
from neuromf.paper.style import NARROW, page


def test_data_and_gaps_stand_beside_the_figure(tmp_path):
    with page(NARROW, 1) as figure:
        figure.subplots()
    gap = Missing("Figure 2b", "toy", NOT_GIVEN)
    row = {"panel": "a", "value": 0.1 + 0.2, "sha256": "f" * 64}
    Drawn(2, "torus", figure, "caption", [row], [gap]).write(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {
        f"figure-2-torus.{end}" for end in ("pdf", "png", "csv")
    }
    with (tmp_path / "figure-2-torus.csv").open(newline="") as stream:
        first, last = csv.DictReader(stream)
    assert first["value"] == "0.30000000000000004"
    assert (last["panel"], last["missing"]) == ("Figure 2b", gap.text)
