import pytest

from neuromf.verification import suite
from neuromf.verification.suite import of_test, read_outcomes, run_tests
from verification.support import JUNIT


@pytest.fixture
def outcomes(tmp_path):
    path = tmp_path / "tests.xml"
    path.write_text(JUNIT, encoding="utf-8")
    return read_outcomes(path)


def test_every_parameter_of_a_test_counts(outcomes):
    found = of_test(outcomes, "tests/flow/test_a.py::test_one")
    assert [outcome.seconds for outcome in found] == [0.5, 0.25]
    assert all(outcome.passed for outcome in found)
    assert found[0].measured == ("error 1e-9",)


def test_a_file_is_all_of_its_tests_and_a_class_its_own(outcomes):
    assert len(of_test(outcomes, "tests/flow/test_a.py")) == 4
    assert len(of_test(outcomes, "tests/flow/test_a.py::TestClass::test_class")) == 1
    assert of_test(outcomes, "tests/flow/test_a.py::test_on") == []


def test_failures_errors_and_what_was_skipped(outcomes):
    (failed,) = of_test(outcomes, "tests/flow/test_a.py::test_other")
    assert not failed.passed
    assert failed.message == "assert 1 == 2"
    (error,) = of_test(outcomes, "tests/flow/test_b.py::test_error")
    assert not error.passed
    assert not error.skipped
    (skipped,) = of_test(outcomes, "tests/flow/test_b.py::test_gpu")
    assert skipped.skipped
    assert not skipped.passed
    assert skipped.message == "no GPU"


@pytest.mark.parametrize(
    ("text", "said"),
    [("no xml", "no JUnit file"), ("", "no JUnit file"), ("<testsuites/>", "holds no test")],
)
def test_other_files_are_refused(tmp_path, text, said):
    path = tmp_path / "other.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        read_outcomes(path)


def test_pytest_runs_the_tests_that_are_named(tmp_path):
    xml = tmp_path / "tests.xml"
    run_tests(["tests/flow/test_schedule.py::test_equal_ends_are_a_jump"], xml, workers=1)
    (outcome,) = read_outcomes(xml).values()
    assert outcome.passed


def test_without_a_checkout_there_are_no_tests(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match="checkout"):
        run_tests(["tests/flow/test_schedule.py"], tmp_path / "tests.xml", workers=1)
