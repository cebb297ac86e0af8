"""The page of a training: whole, and of every run that is not."""

import re

import pytest

from neuromf.report.command import OUTPUT
from neuromf.report.config import ReportConfig
from neuromf.report.page import FRAMES, frames, run_page
from neuromf.report.trained import read_trained
from neuromf.runtime.run import open_run
from report.support import edit_record, make_run, write_samples
from reporting.support import check_page


@pytest.fixture
def page(tmp_path):
    """The checked page of a run."""

    def of(folder):
        with open_run(tmp_path / "out", ReportConfig(), OUTPUT, overwrite=True) as out:
            edit_record(out, command=["neuromf", "report", "runs"])
            return check_page(run_page(read_trained(folder), out), "report", scripts=1)

    return of


def test_a_whole_run(tmp_path, page):
    found = page(make_run(tmp_path / "run"))
    assert len(found.all("img")) == 2 + 8  # samples, figures
    assert [f["data-label"] for f in found.all("div") if "data-label" in f] == [
        "update 100",
        "update 200",
    ]
    for words in (
        "Nothing stands out",
        "What differs from preset=small2mm",
        "network.channels",
        "[16, 32]",
    ):
        assert words in found.text
    assert "not shown" not in found.text


def test_parts_that_are_missing_say_so_in_their_place(tmp_path, page):
    text = page(make_run(tmp_path / "run", state="running", parts=())).text
    assert text.index("was killed") < text.index("At a glance")
    for what in ("Samples", "Losses of the training", "Evaluation", "Gradient norms", "Throughput"):
        assert re.search(rf"{what}[^.]*: not shown\. ", text), what
    assert "Sizes of features and memory are not known" in text


def test_a_configuration_of_nobody(tmp_path, page):
    folder = make_run(tmp_path / "run")
    (folder / "config.yaml").write_text("strange: <script>\n")
    text = page(folder).text
    assert "The configuration is not read" in text
    assert "The network: not shown" in text
    assert "strange: <script>" in text


def test_frames_are_spread_over_the_run(tmp_path):
    folder = make_run(tmp_path / "run", parts=())
    write_samples(folder / "samples", range(10, 1010, 10))
    shown = frames(read_trained(folder))
    assert len(shown) == FRAMES
    assert (shown[0][0], shown[-1][0]) == ("update 10", "update 1000")
    assert frames(read_trained(make_run(tmp_path / "none", parts=()))) == []
