import json
from dataclasses import replace

import pytest

from neuromf.verification.judge import gate, judged
from neuromf.verification.suite import Outcome
from neuromf.verification.table import Figure, Phase, Row, Seen
from verification.support import evidence, passed

TEST = "tests/flow/test_a.py::test_one"
NAME = "tests.flow.test_a.test_one"
FIGURE = Figure("error", "measured", "error", below=0.1)


def row(**more):
    return Row("what", "criterion", "P3-T1", **more)


def test_a_row_passes_with_its_tests_and_says_what_they_measured():
    verdict = judged(row(tests=(TEST,)), evidence(outcomes={NAME: passed(2.5, "error 1e-9")}))
    assert (verdict.state, verdict.found, verdict.seconds) == ("pass", "error 1e-9", 2.5)


def test_one_test_that_fails_is_enough():
    failed = Outcome(False, False, 1.0, (), "assert 1 == 2")
    found = evidence(outcomes={f"{NAME}[1]": passed(), f"{NAME}[2]": failed})
    verdict = judged(row(tests=(TEST,)), found)
    assert (verdict.state, verdict.why) == ("fail", f"{TEST}: assert 1 == 2")


def test_tests_that_did_not_run():
    assert judged(row(tests=(TEST,)), evidence(untested="no tests here")).why == "no tests here"
    assert "not among" in judged(row(tests=(TEST,)), evidence()).why
    skipped = evidence(outcomes={NAME: Outcome(False, True, 0.0, (), "no GPU")})
    verdict = judged(row(tests=(TEST,)), skipped)
    assert verdict.state == "not run"
    assert "no GPU" in verdict.why


@pytest.mark.parametrize(
    ("value", "state"), [(0.05, "pass"), (0.1, "fail"), (float("nan"), "fail")]
)
def test_a_figure_keeps_its_bound(value, state):
    assert judged(row(figures=(FIGURE,)), evidence(measured={"error": value})).state == state


@pytest.mark.parametrize(
    ("bound", "passes"),
    [({"above": 1}, False), ({"below": 1}, False), ({"at_least": 1}, True), ({"at_most": 1}, True)],
)
def test_bounds_at_equality(bound, passes):
    figure = Figure("n", "measured", "n", **bound)
    verdict = judged(row(figures=(figure,)), evidence(measured={"n": 1.0}))
    assert (verdict.state == "pass") == passes


def test_a_bound_may_be_another_figure_of_the_source(tmp_path):
    folder = tmp_path / "runs" / "toy"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"x": {"d1": 0.2, "d5": 0.3}}))
    figure = Figure("5 calls", "toy/metrics.json", "x.d5", at_most="x.d1")
    verdict = judged(row(figures=(figure,)), evidence(tmp_path))
    assert verdict.state == "fail"
    assert verdict.found == "5 calls 0.3 <= 0.2"


def test_what_is_missing_says_why(tmp_path):
    figure = Figure("SSIM", "vae/scores.json", "mean", above=0.9)
    verdict = judged(row(figures=(figure,)), evidence(tmp_path, missing={"vae": "give volumes=X"}))
    assert (verdict.state, verdict.why) == ("not run", "give volumes=X")
    assert "no vae/scores.json" in judged(row(figures=(figure,)), evidence(tmp_path)).why


def test_a_recorded_figure_names_its_machine():
    figure = Figure("s", "benchmarks/results/full-size.json", "ways.a plain forward.seconds")
    verdict = judged(row(figures=(figure,)), evidence())
    assert verdict.state == "pass"
    assert "(recorded, AMD EPYC" in verdict.found


def test_a_failure_goes_before_what_was_not_run():
    both = row(tests=(TEST,), figures=(FIGURE,))
    assert judged(both, evidence(measured={"error": 1.0})).state == "fail"
    assert judged(both, evidence(measured={"error": 0.0})).state == "not run"


def test_less_than_the_criterion_asks_for_is_not_run():
    verdict = judged(row(figures=(FIGURE,), lacks="64 samples"), evidence(measured={"error": 0.0}))
    assert (verdict.state, verdict.why) == ("not run", "64 samples")
    assert judged(row(), evidence()).state == "not run"


def test_what_was_looked_at():
    seen = Seen(False, "docs/results.md", "no cortex")
    assert judged(row(seen=seen), evidence()).state == "fail"
    assert judged(row(seen=replace(seen, reached=True)), evidence()).state == "pass"


def test_gates():
    rows = tuple(Row("w", "c", f"P6-T{n}") for n in range(1, 6))
    whole = Phase("P6", "t", rows)
    states = {r.id: "pass" for r in rows}
    assert gate(whole, states)[0]
    assert gate(whole, states | {"P6-T3": "not run"}) == (False, "P6-T3 did not pass")

    two = replace(whole, critical=("P6-T1",), some=tuple(r.id for r in rows[1:]), of_some=2)
    assert gate(two, states | {"P6-T3": "fail", "P6-T4": "fail"})[0]
    closed, why = gate(two, {"P6-T1": "pass", "P6-T2": "pass"})
    assert not closed
    assert "2 are needed" in why
