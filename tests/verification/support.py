"""Evidence by hand: outcomes of tests, and a table in small."""

from pathlib import Path

from neuromf.verification.judge import Evidence
from neuromf.verification.suite import Outcome

JUNIT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest">
<testcase classname="tests.flow.test_a" name="test_one[1]" time="0.5"><properties>
<property name="measured" value="error 1e-9" /></properties></testcase>
<testcase classname="tests.flow.test_a" name="test_one[2]" time="0.25" />
<testcase classname="tests.flow.test_a" name="test_other" time="1"><failure message="assert 1 == 2&#10;more">trace</failure></testcase>
<testcase classname="tests.flow.test_a.TestClass" name="test_class" time="1" />
<testcase classname="tests.flow.test_b" name="test_gpu" time="0"><skipped message="no GPU" /></testcase>
<testcase classname="tests.flow.test_b" name="test_error" time="0"><error message="fixture">trace</error></testcase>
</testsuite></testsuites>
"""


def passed(seconds=1.0, *measured):
    return Outcome(True, False, seconds, measured, "")


def evidence(out=Path("nowhere"), *, outcomes=None, untested="", measured=None, missing=None):
    return Evidence(outcomes or {}, untested, measured or {}, missing or {}, out)
