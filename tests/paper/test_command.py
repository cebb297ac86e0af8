"""The verb: every figure and table from what is given, hashes of what was read, gaps listed."""

import hashlib
import json

import pytest

from neuromf.paper import calls_figure, command
from neuromf.paper.command import run
from neuromf.paper.config import PaperConfig
from neuromf.paper.missing import DifferentDataError
from paper.support import FIDS, compared


def test_every_file_that_was_read_has_its_hash(made):
    told = json.loads((made / "out" / "sources.json").read_text())
    for name in ("compare/scores.json", "a_b%.csv"):
        sha = hashlib.sha256((made / name).read_bytes()).hexdigest()
        assert any(file["sha256"] == sha for file in told["files"]), name
    assert {file["key"] for file in told["files"]} >= {"compare", "studies.torus", "published"}


@pytest.fixture
def figure_4(monkeypatch):
    """The verb draws figure 4 alone."""
    monkeypatch.setattr(command, "FIGURES", (calls_figure.draw,))
    monkeypatch.setattr(command, "TABLES", ())


@pytest.mark.usefixtures("figure_4")
def test_a_changed_source_changes_its_hash(made):
    path = made / "compare" / "scores.json"
    before = json.loads((made / "out" / "sources.json").read_text())["files"]
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"made"', b'"again"'))
    config = PaperConfig(compare=(str(made / "compare"),))
    run(config, made / "other")
    path.write_bytes(content)
    after = json.loads((made / "other" / "sources.json").read_text())["files"]
    shas = [{f["file"]: f["sha256"] for f in files}["scores.json"] for files in (before, after)]
    assert shas[0] != shas[1]


def test_gaps_are_listed_and_drawn(made, capsys):
    told = json.loads((made / "out" / "sources.json").read_text())["missing"]
    parts = [gap["part"] for gap in told]
    assert "Figure 5b" in parts
    assert "Table 2b" in parts
    assert all(gap["command"] for gap in told)
    text = (made / "out" / "paper.tex").read_text(encoding="utf-8")
    assert all(part in text for part in parts)


def test_every_figure_is_pdf_png_and_csv(made):
    names = {path.name for path in (made / "out" / "figures").iterdir()}
    stems = {name.partition(".")[0] for name in names}
    assert names == {f"{stem}.{end}" for stem in stems for end in ("pdf", "png", "csv")}


def test_a_folder_in_use_needs_overwrite(made):
    with pytest.raises(FileExistsError, match="is not empty"):
        run(PaperConfig(), made / "out")
    with pytest.raises(FileExistsError):
        run(PaperConfig(compare=(str(made / "compare"),)), made / "compare", overwrite=True)


@pytest.mark.usefixtures("figure_4")
def test_runs_of_other_people_are_refused_and_leave_nothing_finished(made):
    other = compared(made / "b" / "compare", FIDS, n_people=8)
    config = PaperConfig(compare=(str(made / "compare"), str(other)))
    with pytest.raises(DifferentDataError):
        run(config, made / "refused")
    assert not (made / "refused" / "sources.json").exists()
