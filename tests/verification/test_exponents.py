from dataclasses import replace

from neuromf.flow.objective import MeanFlow
from neuromf.verification import exponents as module
from neuromf.verification.exponents import exponents


def test_the_objective_is_the_sum_written_out_and_another_is_not(monkeypatch):
    section = exponents()
    assert section.values["exponent_error"] < 1e-12
    assert [row[0] for row in section.rows] == ["1", "1.5", "2", "3"]
    assert all(row[1] == row[2] and row[3] == row[4] and row[5] == row[6] for row in section.rows)

    monkeypatch.setattr(
        module, "MeanFlow", lambda **keys: replace(MeanFlow(**keys), channel_weights=None)
    )
    assert exponents().values["exponent_error"] > 0.1
