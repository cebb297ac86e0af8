import torch

from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run
from neuromf.torus import Arm, ToyConfig
from neuromf.torus.arm import Result
from neuromf.torus.report import columns, table, write
from reporting.support import check_page
from torus.support import TINY_BLOBS

BOTH = {"": {"distance_1": 0.0, "distance_5": 0.0}}


def test_table_has_a_line_an_arm():
    lines = table(
        {"r4-x": dict.fromkeys(columns(BOTH), 0.125), "r4-u": dict.fromkeys(columns(BOTH), 2.0)}
    ).splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("r4-x")
    assert lines[1].split()[1:] == ["0.125"] * len(columns(BOTH))


def test_the_table_has_every_number_of_calls_and_dashes_for_what_an_arm_lacks():
    arms = {"few": {"distance_1": 0.5, "distance_1_online": 3.0}, "many": {"distance_25": 0.25}}
    head, few, many = table(arms).splitlines()
    assert "distance, 1 call" in head
    assert "distance, 25 calls" in head
    assert "online" not in head
    assert few.split()[1:3] == ["0.5", "–"]
    assert many.split()[1:3] == ["–", "0.25"]


def test_the_page_shows_every_arm_by_its_name(tmp_path):
    points = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    arrays = {"coordinates_1": points, "coordinates_5": points}
    metrics = dict.fromkeys(columns(BOTH), 0.125) | {"parameters": 7, "samples": 50}
    results = {name: Result(metrics, [2.0, 1.0], arrays) for name in ("r4-x", '<script>"u"')}
    arms = dict.fromkeys(results, Arm())
    # the configuration refuses such a name; the page does not rely on that
    config = ToyConfig(arms={"r4-x": Arm()})
    with open_run(tmp_path / "out", config, Output("toy", ())) as out:
        write(out, arms, results)
    source = (tmp_path / "out" / "index.html").read_text()
    page = check_page(source, "toy")
    assert "<script" not in source
    assert page.text.count('<script>"u"') == 2  # the table, the heading
    assert len(page.all("img")) == len(list((tmp_path / "out" / "figures").iterdir())) == 2 + 2 * 2


def test_the_page_shows_blobs(tmp_path):
    data = TINY_BLOBS.manifold().draw(4, torch.Generator().manual_seed(0))
    angles = torch.rand(50, 2)
    arrays = {"angles_1": angles, "angles_5": angles, "volumes": data, "nearest": data}
    metrics = dict.fromkeys(columns(BOTH), 0.125) | {"parameters": 7, "samples": 50}
    results = {"blobs": Result(metrics, [2.0, 1.0], arrays)}
    with open_run(
        tmp_path / "out", ToyConfig(arms={"blobs": TINY_BLOBS}), Output("toy", ())
    ) as out:
        write(out, {"blobs": TINY_BLOBS}, results)
    page = check_page((tmp_path / "out" / "index.html").read_text(), "toy")
    assert len(page.all("img")) == 2 + 3
    assert "circles of the torus" not in page.text
