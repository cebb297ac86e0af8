"""Table 3: exponents against 2, on the torus and on brains."""

from neuromf.paper.booktabs import rows
from neuromf.paper.exponents_table import table
from paper.support import brains, sources_of, torus


def test_every_exponent_is_tested_against_two(tmp_path):
    paths = torus(tmp_path / "a.csv"), brains(tmp_path / "b.csv")
    made = table(sources_of(studies_torus=paths[0], studies_brains=paths[1]))
    assert not made.missing
    first, second = made.blocks
    assert [row[0].text for row in first.rows] == ["1", "2", "3"]
    assert [row[0].text for row in second.rows] == ["1", "1.5", "2", "3"]
    tests = [r for r in rows(made) if r["column"] == "p"]
    assert {r["row"] for r in tests if "p_holm" not in r} == {"2"}
    assert all(0 <= r["p_holm"] <= 1 for r in tests if r["row"] != "2")


def test_gaps_are_said():
    assert [m.part for m in table(sources_of()).missing] == ["Table 3a", "Table 3b"]
