"""Table 4: usefulness and scores of pairs."""

import json
from dataclasses import replace

from neuromf.evaluation.results import write_scores
from neuromf.evaluation.usefulness_table import Row, summarise
from neuromf.paper.booktabs import rows
from neuromf.paper.pairs_table import table
from paper.support import record, results, scored, sources_of


def used(folder):
    """Write a run of usefulness."""
    record(folder, "usefulness")
    trained = [
        Row(
            arm,
            3,
            fold,
            seed,
            f"p{fold}",
            0.5 + 0.1 * (arm != "real") + 0.01 * fold * (seed + 1),
            1,
            1,
            1,
        )
        for arm in ("real", "real+generated")
        for fold in range(4)
        for seed in (0, 1)
    ]
    summary = summarise(trained, ("real", "real+generated"), [3])
    (folder / "usefulness.json").write_text(json.dumps(summary))
    return folder


def test_dice_and_differences(tmp_path):
    folder = used(tmp_path / "u")
    made = table(sources_of(usefulness=folder))
    lines = json.loads((folder / "usefulness.json").read_text())["lines"]
    found = rows(made)
    dice = [r for r in found if r.get("column") == "Dice"]
    assert [(r["row"], r["value"]) for r in dice] == [(x["arm"], x["dice"]) for x in lines]
    apart = [r for r in found if r.get("column") == "to real alone" and "value" in r]
    assert [r["value"] for r in apart] == [lines[1]["difference"]]
    assert apart[0]["shown"].startswith("+0.100")


def test_scores_of_pairs(tmp_path):
    folder = record(tmp_path / "c", "compare")
    sets = {f"g{i}": scored(1.0, **{"lesions/empty": 0.1 * i}) for i in (1, 2)}
    write_scores(folder / "scores.json", results(sets))
    made = table(sources_of(pairs_evaluation=folder))
    found = [r for r in rows(made) if r.get("measure") == "lesions/empty"]
    assert [r["value"] for r in found] == [0.1, 0.2]
    assert [m.part for m in made.missing] == ["Table 4a"]


def test_a_forced_evaluation_says_so(tmp_path):
    folder = record(tmp_path / "c", "compare")
    made = results({"g": scored(1.0, **{"lesions/empty": 0.1})})
    note = "5 of 9 volumes of the reference are training data (x first): perfect. It was forced"
    write_scores(folder / "scores.json", replace(made, notes=(note,)))
    heading = table(sources_of(pairs_evaluation=folder)).blocks[1].heading
    assert heading.endswith("9 real (5 of 9 volumes of the reference are training data)")


def test_gaps_are_said(tmp_path):
    made = table(sources_of())
    assert made.missing[0].text.startswith("not run: neuromf usefulness")
    folder = record(tmp_path / "c", "evaluate")
    write_scores(folder / "scores.json", results({"mine": 1.0}))
    assert "no scores of lesions" in table(sources_of(pairs_evaluation=folder)).missing[1].why
    (used(tmp_path / "u") / "usefulness.json").write_text('{"lines": [{"arm": "real"}]}')
    assert "KeyError" in table(sources_of(usefulness=tmp_path / "u")).missing[0].why
