"""The table of training steps: rows that are there are kept, ways that cannot run say why."""

import argparse
import json

import pytest
import torch

import step
from ways import COMPILED, FLOW_MATCHING, WAYS

SPLIT = "split, v_c, share 0.5"


@pytest.fixture
def steps(monkeypatch):
    monkeypatch.setattr(step, "own_process", lambda steps, name: 1)
    return step.Steps("tiny", torch.device("cpu"), "float32")


def test_flow_matching_costs_three_forwards_and_the_split_step_four(steps):
    rows = step.measure(steps, [FLOW_MATCHING, SPLIT], 1)
    assert rows[FLOW_MATCHING]["forwards"] == pytest.approx(3, abs=0.05)
    assert rows[SPLIT]["forwards"] == pytest.approx(4, abs=0.05)
    assert rows[SPLIT]["saved_bytes"] == rows[FLOW_MATCHING]["saved_bytes"]
    text = step.table("tiny", "float32", rows, "a machine")
    assert "a machine" in text
    assert SPLIT in text


def test_a_way_that_cannot_run_is_a_row_that_says_why(steps, monkeypatch):
    plain = step.step_of

    def step_of(network, way, *rest):
        if way is WAYS[SPLIT]:
            raise torch.OutOfMemoryError("too much\nmore")
        return plain(network, way, *rest)

    monkeypatch.setattr(step, "step_of", step_of)
    rows = step.measure(steps, [SPLIT, FLOW_MATCHING], 1)
    assert rows[SPLIT] == {"failed": "OutOfMemoryError: too much"}
    assert rows[FLOW_MATCHING]["median_s"] > 0
    assert "too much" in step.table("tiny", "float32", rows, "a machine")


def test_results_of_another_measurement_are_not_continued(tmp_path):
    chosen = argparse.Namespace(size="tiny", precision="float32", rounds=2, out=tmp_path / "a.json")
    begun = step.begun(chosen, torch.device("cpu"))
    begun["ways"] = {SPLIT: {"median_s": 1.0}}
    step.keep(chosen.out, begun)
    assert step.begun(chosen, torch.device("cpu"))["ways"] == begun["ways"]
    chosen.precision = "bfloat16"
    with pytest.raises(SystemExit, match="another precision"):
        step.begun(chosen, torch.device("cpu"))


def test_rows_that_are_there_are_not_measured_again(tmp_path, monkeypatch, capsys):
    asked = []

    def measure(steps, names, rounds):
        asked.extend(names)
        return {name: {"median_s": 1.0, "min_s": 1.0} for name in names}

    monkeypatch.setattr(step, "measure", measure)
    monkeypatch.setattr(step.Steps, "derivative", lambda self, name: {"forwards": 2.0})
    out = tmp_path / "rows.json"
    words = ["step.py", "tiny", "--device", "cpu", "--out", str(out), "--only"]
    monkeypatch.setattr("sys.argv", [*words, SPLIT])
    step.main()
    monkeypatch.setattr("sys.argv", [*words, SPLIT, "split, boundary, share 0.5"])
    step.main()
    assert asked == [FLOW_MATCHING, SPLIT, "split, boundary, share 0.5"]
    assert len(json.loads(out.read_text())["ways"]) == 5


def test_no_compiled_way_needs_what_the_compiler_does_not_follow():
    assert all(way.compiled for way in COMPILED.values())
    assert all(way.objective.jvp != "two-stream" for way in COMPILED.values())
