import torch

from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.torus import Arm, ToyConfig
from neuromf.torus.arm import Result
from neuromf.torus.report import COLUMNS, table, write
from reporting.support import check_page


def test_table_has_a_line_an_arm():
    lines = table(
        {"r4-x": dict.fromkeys(COLUMNS, 0.125), "r4-u": dict.fromkeys(COLUMNS, 2.0)}
    ).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("r4-x")
    assert lines[1].split()[1:] == ["0.125"] * len(COLUMNS)


def test_the_page_shows_every_arm_by_its_name(tmp_path):
    points = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    arrays = {"coordinates_1": points, "coordinates_5": points}
    metrics = dict.fromkeys(COLUMNS, 0.125) | {"parameters": 7, "samples": 50}
    results = {name: Result(metrics, [2.0, 1.0], arrays) for name in ("r4-x", '<script>"u"')}
    arms = dict.fromkeys(results, Arm())
    with open_run(tmp_path / "out", ToyConfig(arms=arms), Output("toy", ())) as out:
        write(out, arms, results)
    source = (tmp_path / "out" / "index.html").read_text()
    page = check_page(source, "toy")
    assert "<script" not in source
    assert page.text.count('<script>"u"') == 2  # the table, the heading
    assert len(page.all("img")) == len(list((tmp_path / "out" / "figures").iterdir())) == 2 + 2 * 2
