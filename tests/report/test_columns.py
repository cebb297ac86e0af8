"""Tables of a run, also broken ones: what is a number is read, what is none is told."""

import numpy as np
import pytest

from neuromf.report.columns import read_columns

ABSENT = "never logged"


@pytest.fixture
def table(tmp_path):
    def of(text):
        (tmp_path / "log.csv").write_text(text)
        return read_columns(tmp_path / "log.csv", ABSENT)

    return of


def test_numbers_by_column(table):
    found = table("update,raw,lr\n10,0.5,\n20,nan,x\n30,0.25,1e-3\n")
    assert len(found) == 3
    np.testing.assert_array_equal(found.points("raw"), [[10, 30], [0.5, 0.25]])
    assert found.last("lr") == 1e-3
    assert np.isnan(found.last("gone"))
    assert found.has("raw")
    assert not found.has("gone")
    assert list(table("update,v_0.1,v_0.5,w\n1,2,nan,3\n").named("v_")) == ["0.1"]


def test_later_rows_of_an_update_count_and_rows_are_ordered(table):
    found = table("update,raw\n20,2\n10,1\n20,3\n")
    np.testing.assert_array_equal(found.update, [10, 20])
    np.testing.assert_array_equal(found.values["raw"], [1, 3])


def test_rows_without_an_update_are_counted(table):
    found = table("update,raw\n10,1\n,2\nnan,3\n20,4\n30")
    assert found.strange == 2
    np.testing.assert_array_equal(found.update, [10, 20, 30])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column 'update'"),
        ("update,raw\n", "no row"),
        ("update,raw\nnan,1\n", "no row"),
        ("step,raw\n1,2\n", "no column 'update'"),
        ("update\0", "NUL"),
    ],
)
def test_what_is_no_log_says_why(table, text, said):
    found = table(text)
    assert said in found.missing
    assert len(found) == 0
    assert found.update.shape == (0,)


def test_a_file_that_is_not_there(tmp_path):
    assert (
        read_columns(tmp_path / "log.csv", ABSENT).missing == "log.csv is not there: never logged"
    )
