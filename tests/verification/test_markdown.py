from neuromf.verification.judge import Verdict
from neuromf.verification.markdown import counts, document, evidence
from neuromf.verification.table import Figure, Phase, Row

ROW = Row(
    "a | b", "c", "P4-T13", "data", ("tests/x.py::test_y",), (Figure("d", "toy/m.json", "k"),)
)
VERDICTS = [
    Verdict(ROW, "pass", "d 0.1", "", 1.25),
    Verdict(Row("e", "f", "P4-T14"), "not run", "", "no GPU", 0.0),
]


def test_a_line_a_row_with_all_that_it_rests_on():
    phase = Phase("P4", "Training", tuple(v.row for v in VERDICTS))
    page = document([phase], {"P4": VERDICTS}, {"P4": (False, "P4-T14 did not pass")}, "Here.")
    assert (
        "| P4-T13, data | a \\| b | c | `tests/x.py::test_y`, `toy/m.json` | d 0.1 | pass | 1.2 |"
        in page
    )
    assert "| P4-T14 | e | f |  | no GPU | not run |  |" in page
    assert "| P4: Training | closed: P4-T14 did not pass | 1, 0, 1 |" in page


def test_rows_without_ids_have_no_column_of_them():
    phase = Phase("more", "Beyond", (Row("e", "f"),), gate=False)
    verdict = Verdict(Row("e", "f"), "pass", "", "", 0.0)
    page = document([phase], {"more": [verdict]}, {}, "")
    assert "| e | f |" in page
    assert "| Beyond | none | 1, 0, 0 |" in page


def test_counts_and_evidence():
    assert counts(VERDICTS) == "1, 0, 1"
    assert evidence(VERDICTS[0]) == ["tests/x.py::test_y", "toy/m.json"]
