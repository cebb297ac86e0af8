"""scores.json reads back as it was held, and says so where it cannot."""

import json
import math

import pytest
import torch

from evaluation.support import made_results
from neuromf.evaluation.results import (
    ClosePair,
    CopiesRecord,
    differences,
    read_scores,
    write_scores,
)
from neuromf.evaluation.score import Beside, Score
from neuromf.metrics.intervals import Interval
from neuromf.runtime.records import RecordError


def some_scores(shift=0.0):
    chance = torch.Generator().manual_seed(0)
    noise = torch.randn(40, generator=chance, dtype=torch.float64)
    replicates = tuple((1.0 + shift + 0.1 * noise).tolist())
    beside = {"real": Beside(1 / 3, math.nan, 6, 4)}
    return [
        Score(
            *("net/kid", "KID", 0.1 + shift, 12, 9, "lower", Interval(-math.inf, 0.2), beside),
            *("a note", "", replicates, True),
        ),
        Score("net/psnr", "PSNR, dB", math.inf, 12, 9, "none", unit="dB"),
        Score("net/r", "r", math.nan, 12, 9, "higher"),
    ]


def with_copies():
    pair = ClosePair('/a "b" [\\n1].nii.gz', "nan", ("inf", "-inf"), 0.1)
    copies = CopiesRecord("voxels", 0.3, (pair,), (0.1, 1 / 3, math.inf), (0.2,))
    return made_results({"nan": some_scores()}, copies={"nan": (copies,)}, notes=("[\n 1\n]",))


def test_results_read_back_whole(tmp_path):
    """To the last bit, replicates and what is not finite included, whatever names are."""
    held = with_copies()
    write_scores(tmp_path / "scores.json", held)
    found = read_scores(tmp_path / "scores.json")
    # NaN equals nothing, so that texts are compared
    assert repr(found) == repr(held)
    assert found.sets["nan"].scores[0].replicates == held.sets["nan"].scores[0].replicates
    write_scores(tmp_path / "again.json", found)
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "scores.json").read_bytes()


def test_the_file_is_strict_json_for_readers(tmp_path):
    write_scores(tmp_path / "scores.json", with_copies())
    text = (tmp_path / "scores.json").read_text()
    record = json.loads(text, parse_constant=pytest.fail)
    score = record["sets"]["nan"]["scores"][0]
    assert score["interval"] == ["-inf", 0.2]
    assert record["copies"]["nan"][0]["closest"][0]["names"] == ["inf", "-inf"]
    assert len([line for line in text.splitlines() if '"replicates": [' in line]) == 3
    assert len(text.splitlines()) < 170  # numbers of a list stand on one line


def test_earlier_files_are_refused_in_words(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text('{"sets": {}}')
    with pytest.raises(RecordError, match=r"no format number.*run `neuromf evaluate`.*again"):
        read_scores(path)
    path.write_text('{"format": 3}')
    with pytest.raises(RecordError, match="format 3: format 2 is read"):
        read_scores(path)
    path.write_text('{"format": 2, "title": []}')
    with pytest.raises(RecordError, match=r"title.*run `neuromf evaluate`"):
        read_scores(path)
    path.write_text("no")
    with pytest.raises(RecordError, match="run `neuromf evaluate`"):
        read_scores(path)


def test_differences_are_of_compared_metrics():
    equal = made_results({"a": some_scores(), "b": some_scores(), "c": some_scores(1.0)})
    found = {(d.a, d.b): d for d in differences(equal.sets)}
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {d.key for d in found.values()} == {"net/kid"}
    assert found["a", "b"].p == 1
    assert found["a", "c"].p < 1e-6
    assert found["a", "c"].difference == pytest.approx(-1)
    assert found["a", "c"].p_holm >= found["a", "c"].p
