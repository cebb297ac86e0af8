import math

import pytest

from neuromf.report import glance
from neuromf.report.network import network_of
from neuromf.report.trained import read_trained
from report.support import CONFIG, FLOW, edit_record, make_run


@pytest.fixture
def folder(tmp_path):
    return make_run(tmp_path / "run")


def test_what_is_asked_first(folder):
    run = read_trained(folder)
    found = {
        name: (value, remark) for name, value, remark in glance.glance(run, network_of(CONFIG))
    }
    assert found["Ended"] == ("finished", "200 of 200 updates")
    assert found["Time"][0] == "1 min 30 s"
    assert found["Learns"] == ("average velocity (MeanFlow), prediction x", "/data/latents")
    assert found["Samples per second"][0] == "4"
    assert found["Memory"][0] == "1.5 GB"


def test_what_is_not_known(tmp_path):
    folder = make_run(tmp_path / "run", parts=())
    (folder / "config.yaml").unlink()
    found = {name: value for name, value, _ in glance.glance(read_trained(folder), None)}
    assert found["Raw loss at the end"] == "not known"
    assert "Learns" not in found
    assert glance.learns(read_trained(folder)) == "not known"
    assert glance.number(math.nan) == "not known"


def test_kinds_of_training(tmp_path):
    flow = read_trained(make_run(tmp_path / "flow", **FLOW))
    assert glance.learns(flow) == "instantaneous velocity (rectified flow)"
    taught = read_trained(make_run(tmp_path / "taught", teacher="flow"))
    assert glance.learns(taught) == "average velocity from a teacher's velocity"


def test_evaluations_with_their_references(folder):
    grid = glance.evaluated(read_trained(folder))
    assert grid.titles == ["first, update 50", "best, update 150", "last, update 150"]
    rows = {name: (cells, reference) for name, cells, reference in grid.rows}
    assert rows["v-loss over a linear filter's"] == (["0.9", "0.6", "0.6"], "1: a linear filter")
    assert rows["v-loss at t = 0.5"] == (["0.47", "0.32", "0.32"], "0.6: a linear filter")
    (folder / "evaluation.csv").unlink()
    assert glance.evaluated(read_trained(folder)) == ([], [])


def test_moments_of_the_last_samples(tmp_path, folder):
    found = glance.moments(read_trained(folder))
    assert found["channels"] == [f"channel {c}" for c in range(4)]
    assert found["rows"][0] == (1, ["+0.10 ± 0.90"] * 4)
    assert glance.moments(read_trained(make_run(tmp_path / "none", parts=()))) == {}


def test_every_start_has_a_row(folder):
    edit_record(folder, earlier=[{"state": "interrupted", "seconds": 30}])
    first, last = glance.starts(read_trained(folder))
    assert first["cells"][:3] == ["interrupted", "30 s", "not known"]
    assert last["started"] == "2026-01-02T03:04:05+0000"
    assert glance.time(read_trained(folder)) == "2 min 0 s"
    edit_record(folder, seconds=None)  # killed
    assert glance.time(read_trained(folder)) == "more than 30 s"


def test_the_command_as_typed(folder):
    assert glance.command(read_trained(folder)).startswith("neuromf train preset=small2mm")
    edit_record(folder, command=None)
    assert glance.command(read_trained(folder)) == "not known"
