from neuromf.torus.report import COLUMNS, table


def test_table_has_a_line_an_arm():
    lines = table(
        {"r4-x": dict.fromkeys(COLUMNS, 0.125), "r4-u": dict.fromkeys(COLUMNS, 2.0)}
    ).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("r4-x")
    assert lines[1].split()[1:] == ["0.125"] * len(COLUMNS)
