"""Figure 4: data equal to the runs', the published points apart, gaps said."""

import json

import pytest

from neuromf.paper.calls_figure import draw
from neuromf.paper.missing import DifferentDataError
from paper.support import FIDS, compared, edit, renamed, sources_of, torus_training


def test_every_number_is_that_of_its_run(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    path = torus_training(tmp_path / "a.csv")
    drawn = draw(sources_of(compare=(folder,), studies_torus_training=path))
    assert not drawn.missing

    rows = [r for r in drawn.rows if r["panel"] == "c" and r.get("seed") == 0]
    stored = json.loads((folder / "scores.json").read_text())["sets"]
    for row in rows:
        scores = {s["key"]: s["value"] for s in stored[row["set"]]["scores"]}
        assert row["value"] == scores[row["measure"]]
        assert (row["file"], len(row["sha256"])) == ("scores.json", 64)
    assert len(rows) == len(FIDS)

    assert all(row["sha256"] for row in drawn.rows)

    text = path.read_text()
    torus = [r for r in drawn.rows if r["panel"] == "a" and r["seed"] != "mean"]
    assert {r["series"] for r in torus} == {"MeanFlow", "rectified flow"}
    assert all(repr(r["value"]) in text for r in torus)


def test_published_points_stand_alone(tmp_path):
    """None of them is in a panel of ours, and none of ours in theirs."""
    drawn = draw(sources_of(compare=(compared(tmp_path / "compare", FIDS),)))
    apart = [row for row in drawn.rows if "reference" in row]
    assert {row["panel"] for row in apart} == {"d"}
    assert {row["panel"] for row in drawn.rows if row not in apart} <= {"a", "b", "c"}
    assert "cannot be compared" in drawn.caption


def test_an_untrained_network_is_named(tmp_path):
    drawn = draw(sources_of(compare=(compared(tmp_path / "compare", FIDS),)))
    labels = [axes.get_ylabel() for axes in drawn.figure.axes]
    assert "FID, 3D (untrained)" in labels


def test_published_weights_have_their_panels(tmp_path):
    """Whatever their networks are called."""
    folder = compared(tmp_path / "compare", FIDS)
    names = {"random-2.5d": "radimagenet", "random-3d": "medicalnet50"}
    edit(folder / "scores.json", lambda scores: renamed(scores, names))
    drawn = draw(sources_of(compare=(folder,)))
    assert [m.part for m in drawn.missing] == ["Figure 4a"]
    measures = {r["panel"]: r["measure"] for r in drawn.rows if r["panel"] in {"b", "c"}}
    assert measures == {"b": "radimagenet/fid", "c": "medicalnet50/fid"}
    labels = [axes.get_ylabel() for axes in drawn.figure.axes]
    assert labels[1].startswith("FID, 2.5D")
    assert labels[2].startswith("FID, 3D")


def test_gaps_are_said():
    drawn = draw(sources_of())
    assert [m.part for m in drawn.missing] == ["Figure 4a", "Figure 4b", "Figure 4c"]
    assert all(m.text.startswith("not run: neuromf") for m in drawn.missing)


def test_a_metric_that_no_set_has(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)

    def without(scores):
        for found in scores["sets"].values():
            found["scores"] = [s for s in found["scores"] if s["key"] != "random-2.5d/fid"]
        return scores

    edit(folder / "scores.json", without)
    drawn = draw(sources_of(compare=(folder,)))
    assert [m.part for m in drawn.missing] == ["Figure 4a", "Figure 4b"]
    assert "has no FID of a 2.5d network" in drawn.missing[1].why


def test_a_score_that_is_no_number_is_left_out(tmp_path):
    folder = compared(tmp_path / "compare", FIDS | {("flow", 2): float("nan")})
    drawn = draw(sources_of(compare=(folder,)))
    shown = {r["calls"] for r in drawn.rows if r["panel"] == "c" and r.get("seed") == "mean"}
    assert 2 not in shown


def test_other_people_are_refused(tmp_path):
    one = compared(tmp_path / "a" / "compare", FIDS)
    other = compared(tmp_path / "b" / "compare", FIDS, n_people=8)
    with pytest.raises(DifferentDataError):
        draw(sources_of(compare=(one, other)))
