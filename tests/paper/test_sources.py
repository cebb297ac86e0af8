"""Which runs are given: paths relative to the file of sources, keys that win, and hashes."""

import hashlib

import pytest

from neuromf.paper.config import PaperConfig, Studies
from neuromf.paper.missing import MissingError
from neuromf.paper.sources import Sources, finished_run, leaves, reading
from neuromf.runtime.config import ConfigError
from paper.support import edit, record, sources_of


def test_paths_are_relative_to_the_file(tmp_path):
    file = tmp_path / "sources.yaml"
    file.write_text("toy: runs/toy\nstudies: {torus: a.csv}\npeople: [one]\n")
    sources = Sources(PaperConfig(sources=str(file)))
    assert sources.one("toy").text == "runs/toy"
    assert sources.one("toy").path == tmp_path / "runs" / "toy"
    assert sources.one("studies.torus").path == tmp_path / "a.csv"
    assert sources.people == ("one",)


def test_keys_win_over_the_file(tmp_path):
    file = tmp_path / "sources.yaml"
    file.write_text("toy: runs/toy\nstudies: {torus: a.csv, blobs: b.csv}\n")
    config = PaperConfig(sources=str(file), toy="mine", studies=Studies(torus="c.csv"))
    sources = Sources(config)
    assert str(sources.one("toy").path) == "mine"
    assert str(sources.one("studies.torus").path) == "c.csv"
    assert sources.one("studies.blobs").path == tmp_path / "b.csv"


def test_an_unknown_key_and_a_missing_file_are_refused(tmp_path):
    file = tmp_path / "sources.yaml"
    file.write_text("toys: runs/toy\n")
    with pytest.raises(ConfigError, match="unknown key 'toys'.*did you mean 'toy'"):
        Sources(PaperConfig(sources=str(file)))
    with pytest.raises(FileNotFoundError, match="is no file"):
        Sources(PaperConfig(sources=str(tmp_path / "gone.yaml")))


def test_a_file_is_cited_with_its_hash(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{}")
    sources = sources_of(toy=tmp_path)
    cited = sources.cite(sources.one("toy"), path)
    assert cited.cells == {
        "source": str(tmp_path),
        "file": "a.json",
        "sha256": hashlib.sha256(b"{}").hexdigest(),
    }
    assert sources.record() == [{"key": "toy"} | cited.cells]


def test_what_is_read_is_listed_for_the_output_to_avoid(tmp_path):
    assert sources_of(toy="a", compare=("b", "c"), studies_torus="d").paths == ["a", "b", "c", "d"]
    assert not [text for _, texts in leaves(PaperConfig()) for text in texts]


def test_a_finished_run(tmp_path):
    given = sources_of(toy=record(tmp_path / "run", "toy")).one("toy")
    assert finished_run(given, "toy")["seconds"] == 1.5
    edit(given.path / "run.json", lambda told: {k: v for k, v in told.items() if k != "verb"})
    with pytest.raises(MissingError, match="by an earlier version"):
        finished_run(given, "toy")
    (given.path / "run.json").write_text("{")
    with pytest.raises(MissingError, match="not what it should be"):
        finished_run(given, "toy")


@pytest.mark.parametrize("error", [KeyError("a"), OSError("a"), IndexError(), TypeError("a\nb")])
def test_what_a_source_raises_is_missing(error):
    given = sources_of(toy="x").one("toy")
    with pytest.raises(MissingError) as found, reading(given):
        raise error
    assert found.value.why
    assert "\n" not in found.value.why
