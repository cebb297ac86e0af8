import pytest

from neuromf.report.config import ReportConfig


def test_one_evaluation_for_each_run():
    assert ReportConfig(runs=("a", "b"), evaluations=("x", "y")).evaluations == ("x", "y")
    with pytest.raises(ValueError, match="names 1 folders, runs 2"):
        ReportConfig(runs=("a", "b"), evaluations=("x",))
    with pytest.raises(ValueError, match="volumes is -1"):
        ReportConfig(runs=("a",), volumes=-1)
