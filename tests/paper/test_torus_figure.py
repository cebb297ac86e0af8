"""Figure 2: losses and samples of a toy run."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from neuromf.paper.style import LOOKS
from neuromf.paper.torus_figure import draw
from paper.support import record, sources_of, toy


def test_numbers_are_those_of_the_run(tmp_path):
    folder = toy(tmp_path / "toy")
    drawn = draw(sources_of(toy=folder))
    assert not drawn.missing
    for arm in ("d256-u", "d256-x", "r4-x"):
        stored = json.loads((folder / "arms" / arm / "metrics.json").read_text())["loss"]
        assert [r["value"] for r in drawn.rows if r["series"] == arm] == stored

    arrays = load_file(folder / "arms" / "d256-x" / "samples.safetensors")
    for panel, calls in (("b", 1), ("d", 5)):
        rows = [r for r in drawn.rows if r["panel"] == panel]
        expected = arrays[f"coordinates_{calls}"][:, :2].astype(float)
        np.testing.assert_array_equal([[r["x"], r["y"]] for r in rows], expected)
        assert {r["calls"] for r in rows} == {calls}
        assert {r["file"] for r in rows} == {"arms/d256-x/samples.safetensors"}
    angles = [r["x"] for r in drawn.rows if r["panel"] == "c"]
    assert angles == pytest.approx(np.arctan2(*arrays["coordinates_1"][:, [1, 0]].T))


def test_the_caption_counts_the_samples_that_are_drawn(tmp_path):
    assert "64 samples of the arm" in draw(sources_of(toy=toy(tmp_path / "few"))).caption
    many = toy(tmp_path / "many", points=1500)
    assert "1000 samples of the arm" in draw(sources_of(toy=many)).caption


def test_arms_that_are_too_many_to_tell_apart_are_named(tmp_path):
    folder = toy(tmp_path / "toy")
    metrics = json.loads((folder / "metrics.json").read_text())
    names = [f"arm-{n}" for n in range(len(LOOKS) + 2)]
    for name in names:
        shutil.copytree(folder / "arms" / "d256-x", folder / "arms" / name)
    (folder / "metrics.json").write_text(json.dumps(dict.fromkeys(names, metrics["d256-x"])))
    drawn = draw(sources_of(toy=folder))
    assert {r["series"] for r in drawn.rows if r["panel"] == "a"} == set(names[: len(LOOKS)])
    assert f"Not drawn: {names[-2]}, {names[-1]}." in drawn.caption
    assert "Not drawn" not in draw(sources_of(toy=toy(tmp_path / "few"))).caption


def test_without_samples_the_losses_stay(tmp_path):
    folder = toy(tmp_path / "toy")
    for path in folder.rglob("samples.safetensors"):
        path.unlink()
    drawn = draw(sources_of(toy=folder))
    assert [m.part for m in drawn.missing] == [f"Figure 2{panel}" for panel in "bcde"]
    assert {r["panel"] for r in drawn.rows} == {"a"}


@pytest.mark.parametrize("calls", [(1,), ()])
def test_one_number_of_calls_is_too_few(tmp_path, calls):
    drawn = draw(sources_of(toy=toy(tmp_path / "toy", calls=calls)))
    assert "no two sets of calls" in drawn.missing[0].why


def test_damaged_runs_say_why(tmp_path):
    folder = toy(tmp_path / "toy")
    path = folder / "arms" / "d256-x" / "samples.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    drawn = draw(sources_of(toy=folder))
    assert len(drawn.missing) == 4
    assert drawn.missing[0].why
    (folder / "metrics.json").write_text("{")
    assert len(draw(sources_of(toy=folder)).missing) == 5
    record(folder, "toy", "running")
    assert "run.json says running" in draw(sources_of(toy=folder)).missing[0].why
    assert len(draw(sources_of()).missing) == 5
