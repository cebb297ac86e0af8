import json

import pytest

from neuromf.verification.sources import MissingError, hardware, make, value
from neuromf.verification.table import Figure, Source

TOY = ("preset=quick", "only=[r4-x]", "arms.r4-x.epochs=1", "arms.r4-x.steps=1",
       "arms.r4-x.samples=64")  # fmt: skip


def test_a_source_is_run_once_and_kept(tmp_path):
    sources = {"toy": Source("toy", TOY)}
    assert make(sources, {}, tmp_path, quick=False) == {}
    written = (tmp_path / "runs" / "toy" / "run.json").read_bytes()
    assert make(sources, {}, tmp_path, quick=True) == {}  # what is there is taken
    assert (tmp_path / "runs" / "toy" / "run.json").read_bytes() == written
    distance = Figure("d", "toy/metrics.json", "r4-x.distance_1")
    assert value(distance, distance.key, tmp_path, {}, {}) > 0


def test_why_a_source_is_missing(tmp_path):
    sources = {
        "vae": Source("validate-vae", ("volumes=$volumes",), needs="volumes"),
        "latents": Source("encode", ("volumes=$volumes",), needs="volumes"),
        "stored": Source("validate-vae", ("latents=$latents",)),
        "toy": Source("toy", TOY),
    }
    missing = make(sources, {"volumes": ""}, tmp_path, quick=True)
    assert missing["vae"] == "give volumes=FOLDER"
    assert missing["toy"] == "left out by quick=true"
    missing = make(sources, {"volumes": str(tmp_path / "none")}, tmp_path / "out", quick=False)
    assert "validate-vae failed" in missing["vae"]
    assert "none" in missing["vae"]
    assert missing["stored"].startswith("needs latents: neuromf encode failed")
    assert "toy" not in missing


def test_numbers_that_are_not_there(tmp_path):
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "b.json").write_text(json.dumps({"x": {"y": [1, 2.5]}, "z": None}))
    assert value(Figure("", "a/b.json", ""), "x.y.1", tmp_path, {}, {}) == 2.5
    for key in ("x.q", "x.y.7", "z", "x"):
        with pytest.raises(MissingError, match="has no number"):
            value(Figure("", "a/b.json", key), key, tmp_path, {}, {})
    with pytest.raises(MissingError, match="no a/c.json"):
        value(Figure("", "a/c.json", "x"), "x", tmp_path, {}, {})
    with pytest.raises(MissingError, match="was not measured"):
        value(Figure("", "measured", "x"), "x", tmp_path, {"y": 1.0}, {})


def test_a_machine_that_is_not_named():
    assert hardware(Figure("", "benchmarks/none.json", "")) == "a machine that is not named"
