"""Figure 8: every brain of every set."""

import json

from neuromf.evaluation.results import write_scores
from neuromf.paper.regions_figure import draw
from paper.support import FIDS, compared, edit, record, results, sources_of


def test_of_an_evaluation(tmp_path):
    folder = record(tmp_path / "e", "evaluate")
    write_scores(folder / "scores.json", results({"mine": 2.0}))
    drawn = draw(sources_of(evaluation=folder, compare=(compared(tmp_path / "compare", FIDS),)))
    stored = json.loads((folder / "scores.json").read_text())
    for name, found in {"real": stored["reference"], "mine": stored["sets"]["mine"]}.items():
        for region, told in found["region_ml"].items():
            own = [r for r in drawn.rows if (r["series"], r["region"]) == (name, region)]
            assert [r["ml"] for r in own if r["brain"] != "mean"] == told["each"]
            mean = next(r for r in own if r["brain"] == "mean")
            assert (mean["ml"], mean["std"]) == (told["mean"], told["std"])


def test_of_a_comparison_few_calls_and_many(tmp_path):
    drawn = draw(sources_of(compare=(compared(tmp_path / "compare", FIDS),)))
    shown = list(dict.fromkeys(r["series"] for r in drawn.rows))
    assert shown == ["real", "MeanFlow, 1 call", "rectified flow, 8 calls"]
    assert "real: 9; MeanFlow, 1 call: 12" in drawn.caption


def test_of_many_regions_those_are_shown_that_a_reader_looks_for(tmp_path):
    """SynthSeg measures some 20."""
    folder = record(tmp_path / "e", "evaluate")
    write_scores(folder / "scores.json", results({"mine": 2.0}))

    def parcelled(scores):
        for found in (scores["reference"], scores["sets"]["mine"]):
            found["region_ml"] |= {f"label {n}": found["region_ml"]["GM"] for n in range(20)}
            found["region_ml"]["hippocampus"] = found["region_ml"]["GM"]
        return scores

    edit(folder / "scores.json", parcelled)
    drawn = draw(sources_of(evaluation=folder))
    assert {r["region"]: r["panel"] for r in drawn.rows} == {
        "GM": "a",
        "WM": "b",
        "hippocampus": "c",
    }


def test_brains_without_a_size_are_left_out(tmp_path):
    folder = record(tmp_path / "e", "evaluate")
    write_scores(folder / "scores.json", results({"mine": 2.0}))

    def unseen(scores):
        scores["sets"]["mine"]["region_ml"]["GM"]["each"][0] = "nan"
        return scores

    edit(folder / "scores.json", unseen)
    drawn = draw(sources_of(evaluation=folder))
    assert not drawn.missing
    own = [r for r in drawn.rows if (r["series"], r["region"]) == ("mine", "GM")]
    assert own[-1]["n"] == 11


def test_gaps_are_said(tmp_path):
    assert draw(sources_of()).missing[0].text.startswith("not run: neuromf evaluate")
    folder = record(tmp_path / "e", "evaluate")
    assert "scores.json" in draw(sources_of(evaluation=folder)).missing[0].why
    write_scores(folder / "scores.json", results({"mine": 2.0}))

    def without(scores):
        scores["reference"]["region_ml"] = {}
        return scores

    edit(folder / "scores.json", without)
    assert "measured no regions" in draw(sources_of(evaluation=folder)).missing[0].why
