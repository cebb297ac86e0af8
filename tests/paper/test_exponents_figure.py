"""Figure 5: every seed of the tables, and what is missing."""

import csv

from neuromf.paper.exponents_figure import draw
from paper.support import brains, sources_of, torus


def test_every_number_is_that_of_its_table(tmp_path):
    paths = {"a": torus(tmp_path / "torus.csv"), "b": brains(tmp_path / "brains.csv")}
    drawn = draw(sources_of(studies_torus=paths["a"], studies_brains=paths["b"]))
    assert not drawn.missing
    for panel, path in (paths | {"c": paths["b"]}).items():
        with path.open(newline="") as stream:
            cells = {(r["group"], r["seed"]): r for r in csv.DictReader(stream)}
        rows = [r for r in drawn.rows if r["panel"] == panel and r["seed"] != "mean"]
        assert rows
        for row in rows:
            assert repr(row["value"]) == cells[row["group"], str(row["seed"])][row["measure"]]
            assert row["source"] == str(path)


def test_the_torus_has_distances_and_brains_fid(tmp_path):
    paths = torus(tmp_path / "torus.csv"), brains(tmp_path / "brains.csv")
    drawn = draw(sources_of(studies_torus=paths[0], studies_brains=paths[1]))
    labels = [axes.get_ylabel() for axes in drawn.figure.axes]
    assert labels == ["distance to the torus", "FID, 3D (untrained)", "similarity"]
    assert "3 seeds" in drawn.caption
    assert {r["p"] for r in drawn.rows if r["panel"] == "b"} == {1.0, 1.5, 2.0, 3.0}


def test_gaps_are_said(tmp_path):
    drawn = draw(sources_of(studies_torus=torus(tmp_path / "a.csv")))
    assert [m.part for m in drawn.missing] == ["Figure 5b", "Figure 5c"]
    assert "no seeds: nothing was run" in draw(sources_of()).caption
