"""Files of an evaluation: what they say, and that they can be drawn again without volumes."""

import shutil

import pytest

from evaluation.support import made_results
from features.support import write_set
from neuromf.evaluation import report
from neuromf.evaluation.command import CompareConfig, run
from neuromf.evaluation.report import redraw, rows, sentence, small
from neuromf.evaluation.results import read_scores
from neuromf.evaluation.score import Beside, Score
from neuromf.evaluation.slices import read_slices
from neuromf.metrics.intervals import Interval
from neuromf.reporting.viewer import read_shown
from neuromf.runtime.records import RecordError
from support import tiny_cohort


def test_a_line_says_value_interval_and_references():
    score = Score("e/kid", "KID", 0.5, 10, 12, interval=Interval(0.4, 0.6))
    assert sentence("a", score).split() == ["a", "KID", "0.5", "[0.4,", "0.6]"]
    line = sentence("a", score.with_beside(real=Beside(0.1, 0.0, 5, 6)))
    assert line.endswith("at n = 5: real 0.1")


def test_small_p():
    assert [small(p) for p in (0.0, 9e-4, 0.0123, 1.0)] == ["< 0.001", "< 0.001", "0.012", "1.000"]


def test_a_row_has_every_column():
    score = Score("e/kid", "KID", 0.5, 10, 12).with_beside(real=Beside(0.1, 0.0, 5, 6))
    (row,) = rows(made_results({"a": [score]}))
    assert (row["set"], row["metric"], row["reference"]) == ("a", "e/kid", 12)
    assert (row["equal_n.real"], row["equal_n.samples"]) == (0.1, "")
    assert row["equal_n.real.reference"] == 6


@pytest.fixture
def folder(tmp_path, kept):
    """A comparison with all figures; its volumes are deleted."""
    volumes = tmp_path / "volumes"
    people = tiny_cohort(volumes / "real", n=10, shape=(32, 36, 32), val=0.25, test=0.5)
    sets = [write_set(volumes / name, range(i, i + 5)) for i, name in ((100, "<b>a"), (200, "b"))]
    config = CompareConfig(
        sets=[str(s) for s in sets],
        reference=str(people),
        train=f"{people}:train",
        extractors=("random-3d",),
        vae="none",
        bootstrap=5,
        draws=2,
        pairs=3,
        cache=str(kept),
        workers=1,
        device="cpu",
    )
    run(config, tmp_path / "out")
    shutil.rmtree(volumes)
    return tmp_path / "out"


def test_figures_and_page_are_drawn_again_without_volumes(folder):
    before = {p.name: p.read_bytes() for p in (folder / "figures").iterdir()}
    text = content(folder)
    assert {"volumes.png", "spectra.png", "merits-random-3d.png"} <= set(before)
    assert sum(name.startswith("copies-") for name in before) == 4
    shutil.rmtree(folder / "figures")
    (folder / "index.html").unlink()
    redraw(folder)
    assert {p.name: p.read_bytes() for p in (folder / "figures").iterdir()} == before
    assert content(folder) == text
    assert "<b>a" not in text  # names are escaped
    assert "&lt;b&gt;a" in text
    page = (folder / "index.html").read_text()
    for said in ("How this page was made", "Run again", "NeuroMF"):
        assert said in page
    assert [v.name.partition(":")[0] for v in read_shown(folder / "volumes.json")] == [
        "<b>a",
        "real",
        "b",
    ]
    assert text.count('class="volume"') == 3
    (folder / "volumes.json").unlink()  # as in a folder of an earlier version
    results, slices = (
        read_scores(folder / "scores.json"),
        read_slices(folder / "slices.safetensors"),
    )
    drawn = {path.stem: path for path in (folder / "figures").iterdir()}
    assert "the folder holds no volumes.json" in report.page(results, slices, drawn, folder)


def content(folder):
    """The page without the time that it took until it was written."""
    return (folder / "index.html").read_text().partition("<main>")[2].partition("<footer>")[0]


def test_an_earlier_folder_is_refused_in_words(tmp_path):
    (tmp_path / "scores.json").write_text('{"sets": {}}')
    with pytest.raises(RecordError, match="run `neuromf evaluate`"):
        redraw(tmp_path)
