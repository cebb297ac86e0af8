"""Table 2: mean and deviation over seeds, p values of the study's statistics."""

import math

import pytest

from neuromf.paper.arms_table import read_arms
from neuromf.paper.booktabs import rows
from neuromf.paper.prediction_table import shown, table
from paper.support import sources_of, torus


def test_numbers_and_tests(tmp_path):
    offsets = {"x": 0.0, "u": 10.0, "skip": 0.1}
    path = torus(
        tmp_path / "a.csv",
        value=lambda labels, seed, _: offsets[labels[0]] + 1 + 0.01 * seed * float(labels[1]),
    )
    sources = sources_of(studies_torus=path)
    made = table(sources)
    cells = {(r.get("row"), r.get("column"), i): r for i, r in enumerate(rows(made))}
    mean = next(r for k, r in cells.items() if k[:2] == ("u", "1 call"))
    assert mean["mean"] == pytest.approx(11.02)
    assert mean["std"] == pytest.approx(0.02)
    assert (mean["n"], mean["shown"]) == (3, "11.020 ± 0.020")

    tests = read_arms(sources, "studies.torus").tests("prediction", "distance_1")
    pair = {"prediction-x_p-2", "prediction-skip_p-2"}
    expected = next(t for t in tests if set(t.groups) == pair)
    found = next(r for r in rows(made) if (r.get("row"), r.get("column")) == ("skip", "p"))
    assert (found["p"], found["p_holm"]) == (expected.p, expected.p_holm)
    assert found["test"] == "Games-Howell"
    assert [m.part for m in made.missing] == ["Table 2b", "Table 2c"]


@pytest.mark.parametrize(
    ("mean", "std", "text"),
    [
        (0.099372, 0.004983, "0.0994 ± 0.0050"),
        (11.1132, 0.0497, "11.113 ± 0.050"),
        (903.2, 12.3, "903 ± 12"),
        (0.5, math.nan, "0.5"),
        (0.5, 0.0, "0.5"),
    ],
)
def test_digits(mean, std, text):
    assert shown(mean, std) == text
