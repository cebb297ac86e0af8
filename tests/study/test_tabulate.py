"""The verb writes every table, the page and figures, says what cannot be told, and leaves the study alone."""

import csv
import json
from pathlib import Path

import pytest

from neuromf.study.tabulate import TabulateConfig, run
from study.support import make_study, scored, toy_study


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_study_of_toys(tmp_path, capsys):
    study = toy_study(tmp_path / "study", {"predict": ["x", "u"]})
    before = sorted(str(p) for p in study.rglob("*"))
    run(TabulateConfig(study=str(study)), tmp_path / "out")
    out = tmp_path / "out"
    assert sorted(str(p) for p in study.rglob("*")) == before
    assert len(read(out / "table.csv")) == 2 * 3
    assert [row["arm"] for row in read(out / "arms.csv")][:2] == [
        "predict-x_seed-0",
        "predict-x_seed-1",
    ]
    assert {row["test"] for row in read(out / "tests.csv")} == {"Welch t"}
    assert (out / "table.tex").read_text(encoding="utf-8").count("\\\\") == 3
    assert len(list((out / "figures").glob("measure-*.png"))) == 3
    told = json.loads((out / "tables.json").read_text(encoding="utf-8"))
    assert told["format"] == 1
    assert [g["n"] for g in told["groups"]] == [3] * 6
    assert json.loads((out / "run.json").read_text())["state"] == "finished"

    printed = capsys.readouterr().out
    assert "With 3 seeds in a group" in printed
    assert "distance_1, predict: x − u" in printed
    page = (out / "index.html").read_text(encoding="utf-8")
    assert "What this study cannot tell" in page
    assert page.count("<img") == 3


def test_a_study_of_evaluations_has_a_front(tmp_path):
    for name, _, seed, values in make_study(
        tmp_path / "s", {"p": ["1", "2", "3"]}, (0, 1), {"evaluate": "evaluate"}
    ):
        scores = {"net/fid": float(values["p"]) + 0.1 * seed, "voxels/ssim": 0.5 + 0.01 * seed}
        scored(tmp_path / "s" / "arms" / name / "evaluate", scores)
    run(TabulateConfig(study=str(tmp_path / "s")), tmp_path / "out")
    told = json.loads((tmp_path / "out" / "tables.json").read_text(encoding="utf-8"))
    assert told["pareto"]["groups"] == ["p-1"]
    assert (tmp_path / "out" / "figures" / "front.png").is_file()
    assert "Welch ANOVA" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_names_are_escaped_on_the_page(tmp_path):
    study = toy_study(tmp_path / "study", {"p": ["1", "2"]})
    table = study / "study.json"
    table.write_text(table.read_text().replace('"p-1"', '"<b>p"'))
    run(TabulateConfig(study=str(study)), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;p" in page
    assert "<b>p" not in page


def test_one_group_alone(tmp_path, capsys):
    study = toy_study(tmp_path / "study", {"p": ["1"]})
    tables = run(TabulateConfig(study=str(study)), tmp_path / "out")
    assert tables.results == []
    assert "nothing to compare" in capsys.readouterr().out
    assert read(tmp_path / "out" / "tests.csv") == []


def test_refusals_come_before_the_folder(tmp_path):
    study = toy_study(tmp_path / "study", {"p": ["1", "2"]})
    out = Path(tmp_path / "out")
    with pytest.raises(ValueError, match="study= is needed"):
        run(TabulateConfig(), out)
    with pytest.raises(FileNotFoundError, match=r"no study\.json"):
        run(TabulateConfig(study=str(tmp_path)), out)
    with pytest.raises(ValueError, match="known are"):
        run(TabulateConfig(study=str(study), measures=("fid",)), out)
    assert not out.exists()
    with pytest.raises(ValueError, match="seed"):
        TabulateConfig(seed=-1)
