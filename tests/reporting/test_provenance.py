import json
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from neuromf import __version__
from neuromf.reporting.provenance import in_words, read_provenance
from neuromf.runtime.folders import Output
from neuromf.runtime.run import open_run


@dataclass(frozen=True)
class Config:
    seed: int = 3


def test_it_is_that_of_the_run_under_way(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/opt/bin/neuromf", "toy", "preset=quick", "out=a b"])
    with open_run(tmp_path / "a b", Config(), Output("toy", ())) as out:
        found = read_provenance(out)
    assert found.verb == "toy"
    assert found.command == "neuromf toy preset=quick 'out=a b'"
    assert shlex.split(found.again) == [
        *("neuromf", "toy", str(out / "config.yaml")),
        f"out={tmp_path / 'a b-again'}",
    ]
    assert found.version == __version__
    assert "torch " in found.software
    assert "neuromf" not in found.software
    assert abs(found.started.timestamp() - time.time()) < 60
    assert 0 <= found.seconds < 60
    assert found.earlier == 0
    assert str(found.started.year) in found.date


def test_it_counts_the_starts_before(tmp_path):
    record = {"started": "2026-01-02T03:04:05+0100", "versions": {}, "verb": "toy"}
    record |= {"seconds": 30, "earlier": [{"seconds": 100.0}, {}]}  # one was killed
    (tmp_path / "run.json").write_text(json.dumps(record))
    found = read_provenance(tmp_path)
    assert (found.earlier, found.seconds, found.duration) == (2, 130, "2 min 10 s")
    assert found.date == "2 January 2026, 03:04 UTC+01:00"


@pytest.mark.parametrize(
    ("git", "said"),
    [
        ({}, ""),
        ({"commit": "0123456789abcdef", "changed": False}, "0123456789ab"),
        ({"commit": "0123456789abcdef", "changed": True}, "0123456789ab, with changes"),
    ],
)
def test_the_commit(tmp_path, git, said):
    record = {"started": "2026-01-02T03:04:05+0000", "versions": {"neuromf": "9"}, "git": git}
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert read_provenance(tmp_path).commit == said


def test_a_folder_that_no_verb_wrote(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["mine.py", "x y"])
    found = read_provenance(tmp_path)
    assert (found.verb, found.again) == ("", "")
    assert found.command == "mine.py 'x y'"
    assert found.version == __version__


@pytest.mark.parametrize(
    ("out", "again"), [("runs/a", "runs/a-again"), (".", "../b-again"), ("..", "../../x-again")]
)
def test_the_folder_to_run_it_again_in_lies_beside(tmp_path, monkeypatch, out, again):
    for folder in (tmp_path / "x" / "b" / out, tmp_path / "x" / "b"):
        folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / "x" / "b")
    record = {"started": "2026-01-02T03:04:05+0000", "versions": {}, "verb": "toy"}
    Path(out, "run.json").write_text(json.dumps(record))
    assert read_provenance(Path(out)).again.endswith(f"config.yaml out={again}")


def test_durations():
    said = [in_words(s) for s in (0.2, 59.4, 59.6, 200, 3600, 7500)]
    assert said == ["0 s", "59 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "2 h 5 min"]
