"""The arms of a study: as tabulate wrote them, with its statistics; damaged tables say why."""

import csv
import hashlib

import pytest

from neuromf.metrics.hypotheses import games_howell
from neuromf.paper.arms_table import parse_arms, read_arms
from neuromf.paper.missing import MissingError
from paper.support import brains, sources_of, torus


def test_values_are_those_of_the_file_to_the_last_digit(tmp_path):
    path = torus(tmp_path / "arms.csv")
    arms = read_arms(sources_of(studies_torus=tmp_path), "studies.torus")
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            group = next(g for g in arms.groups("distance_5") if g.name == row["group"])
            assert repr(group.seeds[int(row["seed"])]) == row["distance_5"]
    assert arms.cited.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert arms.cited.file == "arms.csv"


def test_a_changed_file_has_another_hash(tmp_path):
    path = torus(tmp_path / "a.csv")
    before = read_arms(sources_of(studies_torus=path), "studies.torus").cited
    path.write_text(path.read_text().replace("finished", "finished ", 1))
    after = read_arms(sources_of(studies_torus=path), "studies.torus").cited
    assert before.sha256 != after.sha256
    assert (before.source, before.file) == (str(path), "")


def test_p_values_are_those_of_tabulate(tmp_path):
    """Games and Howell's, times the slices of the other axis."""
    arms = read_arms(sources_of(studies_torus=torus(tmp_path / "a.csv")), "studies.torus")
    tests = [t for t in arms.tests("p", "distance_1") if t.test == "Games-Howell"]
    own = [g for g in arms.groups("distance_1") if g.values["prediction"] == "x"]
    expected = games_howell([list(g.seeds.values()) for g in own])[0].comparison.p
    test = next(t for t in tests if t.groups == (own[0].name, own[1].name))
    assert test.p == pytest.approx(expected, rel=1e-12)
    assert test.p_holm == pytest.approx(min(1, 3 * expected), rel=1e-12)


def test_seeds_without_a_number_are_left_out(tmp_path):
    path = torus(
        tmp_path / "a.csv",
        value=lambda labels, seed, _: "nan" if (labels, seed) == (("x", "1"), 2) else 1.0 + seed,
    )
    arms = read_arms(sources_of(studies_torus=path), "studies.torus")
    group = arms.groups("distance_1")[0]
    assert group.seeds == {0: 1.0, 1: 2.0}
    assert group.mean == 1.5
    assert group.std == pytest.approx(0.5**0.5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text[:-30], "cut off: line 28 has"),
        (lambda text: text[:-1].rstrip("\r\n"), "cut off: its last line has no end"),
        (lambda text: text.replace("group", "crew", 1), "no column group"),
        (lambda text: text.splitlines(keepends=True)[0], "holds no arm"),
        (lambda text: text.replace("prediction-x_p-1,1,", "prediction-x_p-1,0,"), "have seed 0"),
    ],
)
def test_a_damaged_table_says_why(tmp_path, change, why):
    path = torus(tmp_path / "a.csv")
    path.write_text(change(path.read_text()))
    with pytest.raises(MissingError, match=why):
        read_arms(sources_of(studies_torus=path), "studies.torus")


def test_an_empty_file_and_one_that_is_not_there(tmp_path):
    (tmp_path / "a.csv").touch()
    with pytest.raises(MissingError):
        read_arms(sources_of(studies_torus=tmp_path / "a.csv"), "studies.torus")
    with pytest.raises(MissingError, match="is not there"):
        read_arms(sources_of(studies_torus=tmp_path / "b.csv"), "studies.torus")
    with pytest.raises(MissingError, match="no run is given"):
        read_arms(sources_of(), "studies.torus")


def test_a_measure_is_found_by_its_end(tmp_path):
    arms = read_arms(sources_of(studies_brains=brains(tmp_path / "a.csv")), "studies.brains")
    assert arms.measure("ms_ssim") == "voxels/ms_ssim"
    with pytest.raises(MissingError, match="several columns fid"):
        arms.measure("fid")
    with pytest.raises(MissingError, match="no column kid"):
        arms.measure("kid")


def test_axes_and_measures_are_told_apart(tmp_path):
    text = torus(tmp_path / "a.csv").read_text()
    collected = parse_arms(text, tmp_path / "a.csv")
    assert collected.table.axes == ["prediction", "p"]
    assert [m.name for m in collected.measures] == ["distance_1", "distance_5", "distance_50"]
    assert {m.better for m in collected.measures} == {"lower"}
