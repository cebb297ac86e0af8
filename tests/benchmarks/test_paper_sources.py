"""Committed copies of runs: the same numbers as the runs, read by the same code."""

import hashlib
import json

from neuromf.paper.comparison import read_comparison
from neuromf.paper.torus_figure import draw
from paper.support import FIDS, compared, sources_of, toy
from paper_sources import copy_compare, copy_scores, copy_toy, without_places


def test_a_copy_of_a_comparison_is_read_as_the_run(tmp_path):
    run = compared(tmp_path / "run" / "compare", FIDS)
    copied = copy_compare(run, tmp_path / "out")
    one, other = (read_comparison(sources_of(compare=(folder,))) for folder in (run, copied))
    for a, b in zip(one.points, other.points, strict=True):
        assert (a.name, a.calls, a.calls_from, a.seconds) == (
            b.name,
            b.calls,
            b.calls_from,
            b.seconds,
        )
        assert a.values("random-3d/fid") == b.values("random-3d/fid")
        assert a.spread("random-3d/fid") == b.spread("random-3d/fid")

    origin = json.loads((copied / "origin.json").read_text())
    sha = hashlib.sha256((run / "scores.json").read_bytes()).hexdigest()
    assert origin == {"run": run.name, "sha256": origin["sha256"] | {"scores.json": sha}}


def test_a_copy_has_no_replicates_and_no_names_of_volumes(tmp_path):
    run = compared(tmp_path / "compare", FIDS)
    copied = json.loads((copy_scores(run, tmp_path / "out") / "scores.json").read_text())
    assert copied["copies"] == {}
    assert not any(s["replicates"] for found in copied["sets"].values() for s in found["scores"])


def test_a_copy_of_a_toy_run(tmp_path):
    run = toy(tmp_path / "toy")
    for name in ("run.json", "config.yaml"):
        (run / name).touch()
    copied = copy_toy(run, tmp_path / "out")
    assert {p.parent.name for p in copied.rglob("samples.safetensors")} == {"d256-x"}
    one, other = (draw(sources_of(toy=folder)) for folder in (run, copied))
    assert [row.get("value") for row in one.rows] == [row.get("value") for row in other.rows]


def test_a_copy_says_nothing_of_the_machines_folders():
    text = '"reference=/home/me/data/volumes:train", "https://a.org/b/c", "out=/scratch/x", "a/b"'
    said = '"reference=volumes:train", "https://a.org/b/c", "out=x", "a/b"'
    assert without_places(text) == said
