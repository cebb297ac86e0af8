"""Figure 6: the predictions of each space at the default exponent."""

from neuromf.paper.prediction_figure import draw
from paper.support import blobs, brains, sources_of, torus


def test_all_spaces(tmp_path):
    made = {"torus": torus, "blobs": blobs, "brains": brains}
    paths = {f"studies_{name}": make(tmp_path / f"{name}.csv") for name, make in made.items()}
    drawn = draw(sources_of(**paths))
    assert not drawn.missing
    shown = {panel: [] for panel in "abc"}
    for row in drawn.rows:
        if row["prediction"] not in shown[row["panel"]]:
            shown[row["panel"]].append(row["prediction"])
    assert shown["a"] == ["x", "u", "skip"]
    assert shown["b"] == ["x", "u", "skip", "gaussian", "flow-x", "flow-gaussian"]
    assert shown["c"] == ["x", "u", "skip", "gaussian", "rectified-flow"]
    assert {r["group"] for r in drawn.rows if r["panel"] == "a"} == {
        f"prediction-{p}_p-2" for p in ("x", "u", "skip")
    }


def test_gaps_are_said(tmp_path):
    drawn = draw(sources_of(studies_torus=blobs(tmp_path / "a.csv")))
    assert [m.part for m in drawn.missing] == ["Figure 6a", "Figure 6b", "Figure 6c"]
    assert "has no arm of x, u, skip" in drawn.missing[0].why
