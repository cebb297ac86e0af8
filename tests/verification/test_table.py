import re
from pathlib import Path

import pytest

from neuromf.verification.sources import _looked_up
from neuromf.verification.table import read_table

ROOT = Path(__file__).parents[2]
IDS = [
    *(f"P0-T{n}" for n in range(1, 8)),
    *(f"P1-T{n}" for n in range(1, 8)),
    *(f"P2-T{n}" for n in range(1, 9)),
    *(f"P3-T{n}" for n in (1, 2, "3a", "3b", *range(4, 14))),
    *(f"P4-T{n}" for n in range(1, 25)),
    *(f"P4b-T{n}" for n in range(1, 8)),
    *(f"P4d-T{n}" for n in range(1, 17)),
    *(f"P4f-T{n}" for n in range(1, 6)),
    *(f"P4g-T{n}" for n in (*range(1, 6), "5b", *range(6, 10))),
    *(f"P4h-T{n}" for n in range(1, 14)),
    *(f"P5-T{n}" for n in range(1, 7)),
    *(f"P6-T{n}" for n in range(1, 6)),
]


def test_every_id_of_the_specification_is_there():
    found = [row.id for row in read_table().rows()]
    assert [i for i in IDS if i not in found] == []
    for n in range(13, 20):  # used twice, for data and for samples
        assert found.count(f"P4-T{n}") == 2


def test_tests_that_are_named_exist():
    for test in read_table().tests():
        path, *names = test.split("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert all(re.search(rf"(def|class) {name}\b", text) for name in names), test


def test_kept_figures_exist():
    import json

    for row in read_table().rows():
        for figure in row.figures:
            if figure.recorded:
                tree = json.loads((ROOT / figure.source).read_text(encoding="utf-8"))
                assert isinstance(_looked_up(tree, figure.key), float), figure


def test_chosen_phases_bring_the_runs_they_need():
    table = read_table()
    assert list(table.chosen(["P2"]).sources) == ["toy"]
    assert list(table.chosen(["P1"]).sources) == ["latents", "stored"]
    assert table.chosen(["P3"]).sources == {}
    assert list(table.chosen([]).sources) == list(table.sources)
    with pytest.raises(ValueError, match=r"phases=\['P9'\]: some of P0, P1"):
        table.chosen(["P9"])


def test_the_page_of_the_documentation_is_of_this_table():
    page = (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")
    missing = [row for row in read_table().rows() if row.what.replace("|", "\\|") not in page]
    assert missing == [], "make verify writes it"
