"""Table 1: ours as measured, others' as cited, in blocks of their own."""

import json

import pytest

from neuromf.paper.booktabs import rows
from neuromf.paper.main_table import table
from neuromf.paper.published import read_published
from paper.support import FIDS, compared, edit, renamed, sources_of

TIMED = {
    "size": "small",
    "precision": "float32",
    "hardware": {"cpu": "a CPU", "memory_bytes": 1},
    "seconds": {"one call": {"network": 0.07794704900152283, "decode": 0.36, "end_to_end": 0.44}},
}


def test_ours_are_those_of_the_run(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    (tmp_path / "generation-small.json").write_text(json.dumps(TIMED))
    made = table(sources_of(compare=(folder,), benchmarks=tmp_path))
    assert not made.missing
    ours = [r for r in rows(made) if r["block"].startswith("Ours, measured")]
    fids = [r for r in ours if r.get("measure") == "random-3d/fid" and "n" in r]
    assert [r["mean"] for r in fids] == list(FIDS.values())
    assert [r["shown"] for r in ours if r["column"] == "calls"][:4] == ["1", "4", "1", "8"]
    assert [r["seconds"] for r in ours if r["column"] == "s a brain" and "seconds" in r] == [
        3.0
    ] * 4
    real = [r for r in ours if r["row"] == "real people" and r["column"] == "FID 3D ↓"]
    assert real[0]["mean"] == 0.25

    timed = [r for r in rows(made) if r.get("file") == "generation-small.json"]
    assert timed[0]["seconds"] == 0.07794704900152283
    assert "12 volumes, 9 held-out people, 1 training seed" in made.blocks[0].heading


def test_timings_of_another_decoder_say_so(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    for name, more in (("a", {}), ("b", {"decoder": "small-fast"})):
        (tmp_path / f"generation-{name}.json").write_text(json.dumps(TIMED | more))
    made = table(sources_of(compare=(folder,), benchmarks=tmp_path))
    timed = [r["row"] for r in rows(made) if r.get("file", "").startswith("generation-")]
    assert list(dict.fromkeys(timed)) == ["small", "small, small-fast"]


def test_published_weights_have_their_columns(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    names = {"random-2.5d": "2.5d:/data/net.pt", "random-3d": "medicalnet10"}
    edit(folder / "scores.json", lambda scores: renamed(scores, names))
    found = {
        r["column"]: r["measure"]
        for r in rows(table(sources_of(compare=(folder,))))
        if r.get("mean")
    }
    assert found["FID 2.5D ↓"] == "2.5d:/data/net.pt/fid"
    assert found["FID 3D ↓"] == "medicalnet10/fid"


def test_several_runs_have_a_deviation(tmp_path):
    one = compared(tmp_path / "a" / "compare", {("flow", 1): 2.0})
    other = compared(tmp_path / "b" / "compare", {("flow", 1): 4.0})
    found = rows(table(sources_of(compare=(one, other))))
    cell = next(r for r in found if r.get("measure") == "random-3d/fid")
    assert (cell["mean"], cell["std"], cell["n"]) == (3.0, pytest.approx(2**0.5), 2)
    assert cell["shown"] == "3.0 ± 1.4"
    assert len(set(cell["sha256"].split("; "))) == 2


def test_published_figures_stand_alone():
    made = table(sources_of())
    theirs = [r for r in rows(made) if r["block"].startswith("Published")]
    published, cited = read_published()
    assert {r["sha256"] for r in theirs} == {cited.sha256}
    assert all(r["where"] and r["read"] for r in theirs)
    fids = [r["shown"] for r in theirs if r["column"] == "FID ↓"]
    assert fids == ["–" if m.fid is None else str(m.fid) for m in published.models]
    assert not [r for r in rows(made) if r not in theirs and "where" in r]


def test_gaps_are_said(tmp_path):
    assert [m.part for m in table(sources_of()).missing] == ["Table 1a", "Table 1b"]
    (tmp_path / "generation-a.json").write_text("{}")
    assert "seconds" in table(sources_of(benchmarks=tmp_path)).missing[1].why
    assert "holds no generation" in table(sources_of(benchmarks=tmp_path / "x")).missing[1].why
