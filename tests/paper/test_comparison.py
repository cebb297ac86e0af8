"""Runs of compare: calls from the records of their sets, several runs as seeds, and other data refused."""

import json

import pytest

from neuromf.paper.comparison import read_comparison
from neuromf.paper.missing import DifferentDataError, MissingError
from paper.support import FIDS, compared, edit, record, samples, sources_of


def test_sets_have_their_calls_seconds_and_series(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    found = read_comparison(sources_of(compare=(folder,)))
    assert list(found.series()) == ["MeanFlow", "rectified flow"]
    points = {(p.series, p.calls): p for p in found.points}
    assert points["MeanFlow", 4].values("random-3d/fid") == {0: FIDS["meanflow", 4]}
    assert points["rectified flow", 8].seconds == 3.0
    assert points["rectified flow", 8].timing.file == "timing.json"
    assert {p.calls_from for p in found.points} == {"config.yaml of the samples"}


def test_calls_are_those_of_the_record_not_of_the_name(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    config = tmp_path / "flow-8" / "config.yaml"
    config.write_text(config.read_text().replace("nfe: 8", "nfe: 16"))
    found = read_comparison(sources_of(compare=(folder,)))
    assert sorted(p.calls for p in found.points) == [1, 1, 4, 16]


def test_without_records_calls_are_those_of_the_names(tmp_path):
    folder = compared(tmp_path / "compare", FIDS, told=False)
    found = read_comparison(sources_of(compare=(folder,)))
    assert sorted(p.calls for p in found.points) == [1, 1, 4, 8]
    assert {p.calls_from for p in found.points} == {"name of the set"}
    assert {p.seconds for p in found.points} == {None}


def test_folders_of_one_last_name_are_told_apart(tmp_path):
    """Each set has the record of the folder that compare read, though one lies beside the run."""
    folder = compared(tmp_path / "a" / "compare", {("flow", 1): 1.0, ("flow", 2): 2.0}, told=False)
    for name, calls in (("a", 3), ("b", 7)):
        samples(tmp_path / name / "samples", calls, seconds=3.0 * calls)
    listed = [str(tmp_path / name / "samples") for name in "ab"]
    (folder / "config.yaml").write_text(json.dumps({"sets": listed}))
    points = read_comparison(sources_of(compare=(folder,))).points
    assert {p.name: (p.calls, p.seconds) for p in points} == {
        "flow-1": (3, 3.0),
        "flow-2": (7, 7.0),
    }

    listed[1] = str(tmp_path / "gone" / "samples")
    (folder / "config.yaml").write_text(json.dumps({"sets": listed}))
    points = read_comparison(sources_of(compare=(folder,))).points
    assert {p.name: p.calls for p in points} == {"flow-1": 3, "flow-2": 2}  # as its name says


def test_what_compare_read_comes_before_what_lies_beside(tmp_path):
    folder = compared(tmp_path / "x" / "compare", {("flow", 1): 1.0})
    samples(tmp_path / "read" / "flow-1", 5)
    (folder / "config.yaml").write_text(f"sets: [{tmp_path}/read/flow-1]\n")
    assert read_comparison(sources_of(compare=(folder,))).points[0].calls == 5


def test_a_set_without_calls_is_missing(tmp_path):
    folder = compared(tmp_path / "compare", {("flow", "many"): 1.0}, told=False)
    with pytest.raises(MissingError, match="flow-many .* has no number of network calls"):
        read_comparison(sources_of(compare=(folder,)))


def test_runs_are_seeds(tmp_path):
    one = compared(tmp_path / "a" / "compare", {("flow", 1): 2.0})
    other = compared(tmp_path / "b" / "compare", {("flow", 1): 4.0})
    [point] = read_comparison(sources_of(compare=(one, other))).points
    assert point.values("random-3d/fid") == {0: 2.0, 1: 4.0}
    assert point.mean("random-3d/fid") == 3.0
    assert point.spread("random-3d/fid") == (2**0.5, 2**0.5)


def test_one_run_has_the_interval_over_volumes(tmp_path):
    folder = compared(tmp_path / "compare", {("flow", 1): 2.0})
    [point] = read_comparison(sources_of(compare=(folder,))).points
    assert point.spread("random-3d/fid") == pytest.approx((0.05, 0.05))


def test_other_people_are_refused(tmp_path):
    one = compared(tmp_path / "a" / "compare", {("flow", 1): 2.0})
    other = compared(tmp_path / "b" / "compare", {("flow", 1): 4.0}, n_people=8)
    with pytest.raises(DifferentDataError, match="different reference people"):
        read_comparison(sources_of(compare=(one, other)))


def test_the_same_people_are_recognised(tmp_path):
    """Though a region of one is unknown, and another machine rounded otherwise."""
    folders = [compared(tmp_path / name / "compare", {("flow", 1): 2.0}) for name in "ab"]

    def unknown(scores, factor=1.0):
        scores["reference"]["region_ml"]["GM"]["each"][0] = "nan"
        scores["reference"]["power"] = [v * factor for v in scores["reference"]["power"]]
        return scores

    edit(folders[0] / "scores.json", unknown)
    edit(folders[1] / "scores.json", lambda scores: unknown(scores, 1 + 1e-9))
    [point] = read_comparison(sources_of(compare=tuple(folders))).points
    assert point.values("random-3d/fid") == {0: 2.0, 1: 2.0}

    edit(folders[1] / "scores.json", lambda scores: unknown(scores, 1.02))
    with pytest.raises(DifferentDataError, match="different reference people"):
        read_comparison(sources_of(compare=tuple(folders)))


def test_runs_that_cannot_be_used_say_why(tmp_path):
    folder = compared(tmp_path / "compare", FIDS)
    with pytest.raises(MissingError, match="is no folder"):
        read_comparison(sources_of(compare=(tmp_path / "gone",)))
    with pytest.raises(MissingError, match="holds no run.json"):
        read_comparison(sources_of(compare=(tmp_path,)))

    record(folder, "compare", "running")
    with pytest.raises(MissingError, match="run.json says running"):
        read_comparison(sources_of(compare=(folder,)))
    record(folder, "train")
    with pytest.raises(MissingError, match="was written by `neuromf train`, not by compare"):
        read_comparison(sources_of(compare=(folder,)))

    record(folder, "compare")
    edit(folder / "scores.json", lambda scores: scores | {"format": 1})
    with pytest.raises(MissingError, match="format 2 is read"):
        read_comparison(sources_of(compare=(folder,)))
    (folder / "scores.json").write_text(json.dumps({"sets": {}})[:8])
    with pytest.raises(MissingError, match=r"scores\.json is not what it should be"):
        read_comparison(sources_of(compare=(folder,)))
    (folder / "scores.json").unlink()
    with pytest.raises(MissingError, match=r"scores\.json"):
        read_comparison(sources_of(compare=(folder,)))
