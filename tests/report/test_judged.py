"""An evaluation as its table tells it, and why there is none."""

import json

import pytest

from neuromf.report.judged import number, read_judged
from neuromf.runtime.tables import write_table
from report.support import make_run, scores


def test_values_with_their_references(tmp_path):
    [row] = read_judged(scores(tmp_path / "e"), tmp_path).rows
    assert row == ("e: FID", "0.5 [0.4, 0.6]", "0.6", "–", "0.1", "lower")
    [row] = read_judged(scores(tmp_path / "f", low="nan", high="nan"), tmp_path).rows
    assert row.value == "0.5"
    assert (number("nan"), number(""), number("1234.5678")) == ("–", "–", "1235")


def test_several_sets_are_named(tmp_path):
    folder = scores(tmp_path / "e")
    row = {"metric": "e/fid", "label": "FID", "value": 1, "better": "lower"}
    row |= {"equal_n.samples": 1, "equal_n.real": 1}
    write_table(folder / "scores.csv", [row | {"set": "a"}, row | {"set": "b"}])
    assert [r.label for r in read_judged(folder, tmp_path).rows] == ["a, e: FID", "b, e: FID"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "`neuromf evaluate` writes it"),
        ("a,b\n1,2\n", "no column 'better'"),
        ("metric,label,value,better,equal_n.samples,equal_n.real\n", "has no row"),
        ("a\0", "NUL"),
    ],
)
def test_what_is_no_evaluation(tmp_path, text, said):
    if text is not None:
        (tmp_path / "scores.csv").write_text(text)
    found = read_judged(tmp_path, tmp_path)
    assert said in found.missing
    assert found.rows == ()


@pytest.mark.parametrize(("theirs", "doubt"), [("a" * 64, False), ("b" * 64, True)])
def test_samples_of_another_model_are_told(tmp_path, theirs, doubt):
    run, folder = make_run(tmp_path / "run"), scores(tmp_path / "e")
    (run / "model").mkdir()
    (run / "model" / "config.json").write_text(json.dumps({"sha256": "a" * 64}))
    anat = tmp_path / "samples" / "sub-00000" / "anat"
    anat.mkdir(parents=True)
    (anat / "sub-00000_desc-generated_T1w.json").write_text(json.dumps({"ModelSha256": theirs}))
    (folder / "config.yaml").write_text(f"samples: {tmp_path / 'samples'}\n")
    assert bool(read_judged(folder, run).doubt) == doubt
