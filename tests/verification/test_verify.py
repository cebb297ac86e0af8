import json

import pytest

from neuromf.verification import verify as module
from neuromf.verification.config import VerifyConfig
from neuromf.verification.section import Section
from neuromf.verification.verify import run
from verification.support import JUNIT


@pytest.fixture
def light(monkeypatch):
    """Sections that compute nothing; their own tests are beside."""
    for name in ("derivatives", "exponents", "blocks", "memory", "schedules"):
        values = {"derivative_float32": 1e-6, "derivative_float64": 1e-9, "exponent_error": 0.0}
        made = Section(name, name.title(), "Said.", values if name == "derivatives" else {})
        fake = lambda made=made: made
        fake.__name__ = name
        monkeypatch.setattr(module, name, fake)


def passing(path, *names):
    cases = "".join(
        f'<testcase classname="{c}" name="{n}" time="1"/>'
        for c, n in (x.split("::") for x in names)
    )
    path.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
    return str(path)


def test_a_table_a_record_and_a_page(tmp_path, light, capsys):
    tests = passing(
        tmp_path / "tests.xml",
        "tests.flow.test_jvp::test_exact_equals_a_central_difference_in_float64",
        "tests.flow.test_jvp::test_central_difference_is_of_second_order",
    )
    config = VerifyConfig(phases=("P3",), quick=True, tests=tests)
    assert run(config, tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "verification.json").read_text(encoding="utf-8"))
    states = {row["id"]: row["state"] for row in record["rows"]}
    assert states["P3-T3b"] == "pass"
    assert states["P3-T8"] == "not run"
    assert not record["gates"]["P3"]["open"]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "P3-T3b" in page
    assert "largest error 1e-09" in (tmp_path / "out" / "verification.md").read_text("utf-8")
    assert "pass, fail, not run: 3, 0, 11" in capsys.readouterr().out


def test_what_fails_here_is_counted_and_said(tmp_path, light, capsys):
    tests = tmp_path / "tests.xml"
    name = "tests.nets.test_ema::test_average_equals_its_closed_form"
    passing(tests, name)
    tests.write_text(
        tests.read_text().replace('time="1"/>', 'time="1"><failure message="no"/></testcase>')
    )
    config = VerifyConfig(phases=("P3",), quick=True, tests=str(tests))
    assert run(config, tmp_path / "out") == 1
    assert "fail: P3-T8: " in capsys.readouterr().out


def test_what_was_seen_to_fall_short_is_no_failure_of_this_machine(tmp_path, light):
    (tmp_path / "tests.xml").write_text(JUNIT, encoding="utf-8")
    config = VerifyConfig(phases=("P4",), quick=True, tests=str(tmp_path / "tests.xml"))
    assert run(config, tmp_path / "out") == 0
    record = json.loads((tmp_path / "out" / "verification.json").read_text(encoding="utf-8"))
    states = {(row["family"], row["id"]): row["state"] for row in record["rows"]}
    assert states["training", "P4-T5"] == "fail"


def test_bad_input_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ValueError, match="phases"):
        run(VerifyConfig(phases=("P9",)), tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"tests=.*no such file"):
        run(VerifyConfig(tests=str(tmp_path / "none.xml")), tmp_path / "out")
    assert not (tmp_path / "out").exists()
