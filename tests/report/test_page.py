"""The page of a training: whole, and of every run that is not."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from neuromf.report.command import OUTPUT
from neuromf.report.config import ReportConfig
from neuromf.report.decoded import Decoded
from neuromf.report.judged import Judged, read_judged
from neuromf.report.page import FRAMES, frames, run_page
from neuromf.report.trained import read_trained
from neuromf.reporting.viewer import shown
from neuromf.runtime.run import open_run
from report.support import edit_record, make_run, scores, write_samples
from reporting.browser import look
from reporting.support import check_page

NOTHING = Decoded([], "volumes=0 asked for none")


@pytest.fixture
def page(tmp_path):
    """The checked page of a run."""

    def source(folder, judged=None, seen=NOTHING):
        with open_run(tmp_path / "out", ReportConfig(), OUTPUT, overwrite=True) as out:
            edit_record(out, command=["neuromf", "report", "runs"])
            return run_page(read_trained(folder), out, judged, seen)

    def of(folder, judged=None, seen=NOTHING):
        return check_page(source(folder, judged, seen), "report", scripts=1 + bool(seen.volumes))

    of.source = source
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
    assert "Losses of the training: missing" not in found.text


def test_parts_that_are_missing_say_so_in_their_place(tmp_path, page):
    text = page(make_run(tmp_path / "run", state="running", parts=())).text
    assert text.index("was killed") < text.index("At a glance")
    for what in ("Samples", "Losses of the training", "Evaluation", "Gradient norms", "Throughput"):
        assert re.search(rf"{what}[^.]*: missing\. ", text), what
    assert "Sizes of features and memory are not known" in text


def test_a_configuration_of_nobody(tmp_path, page):
    folder = make_run(tmp_path / "run")
    (folder / "config.yaml").write_text("strange: <script>\n")
    text = page(folder).text
    assert "The configuration is not read" in text
    assert "The network: missing" in text
    assert "strange: <script>" in text


def test_volumes_and_an_evaluation(tmp_path, page):
    folder = make_run(tmp_path / "run")
    ball = SimpleNamespace(voxels=np.ones((8, 8, 8)), affine=np.diag([2.0, 2, 2, 1]))
    seen = Decoded([shown("one call", ball), shown("two calls", ball)])
    found = page(folder, read_judged(scores(tmp_path / "judged"), folder), seen)
    assert "Volumes: missing" not in found.text
    assert len([a for a, _ in found.scripts if a.get("class") == "volume"]) == 2
    assert "e: FID0.5 [0.4, 0.6]0.6–0.1lower" in found.text
    text = page(folder, Judged(tmp_path, missing="scores.csv is not there")).text
    assert "Decoded samples: missing. scores.csv is not there" in text
    assert "Volumes: missing. volumes=0 asked for none" in text


def test_a_browser_runs_the_slider_alone(tmp_path, page):
    """One picture of two is shown, and the console is silent; without its script both would be."""
    folder = make_run(tmp_path / "run", parts=("samples",))
    for update in (100, 200):  # colours that nothing else on the page has
        picture = folder / "samples" / f"update-{update:08d}.png"
        Image.new("L", (300, 200), 100 if update == 100 else 60).save(picture)
    path = tmp_path / "page.html"
    path.write_text(page.source(folder), encoding="utf-8")
    seen, console = look(path.as_uri(), tmp_path, (900, 1500))
    assert console == []
    shares = {level: (seen == level).all(axis=-1).sum() for level in (100, 60)}
    assert shares[60] == 300 * 200
    assert shares[100] == 0


def test_frames_are_spread_over_the_run(tmp_path):
    folder = make_run(tmp_path / "run", parts=())
    write_samples(folder / "samples", range(10, 1010, 10))
    shown = frames(read_trained(folder))
    assert len(shown) == FRAMES
    assert (shown[0][0], shown[-1][0]) == ("update 10", "update 1000")
    assert frames(read_trained(make_run(tmp_path / "none", parts=()))) == []
