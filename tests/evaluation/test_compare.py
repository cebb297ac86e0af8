"""Several sets in one table: equal numbers, the right order, significance."""

import json

import pytest

from neuromf.evaluation import compare
from neuromf.evaluation.compare import CompareConfig
from neuromf.evaluation.sets import read_sets


@pytest.fixture(scope="module")
def done(world, kept, tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "out"
    config = CompareConfig(
        sets={
            "same": str(world / "same"),
            "bright": str(world / "bright"),
            "others": str(world / "others"),
        },
        reference=str(world / "real"),
        splits=("val", "test"),
        extractors=("random-3d",),
        morphology="none",
        bootstrap=100,
        draws=3,
        pairs=5,
        cache=str(kept),
        workers=1,
        device="cpu",
    )
    assert compare.run(config, out) == 0
    return out


def test_one_table(done):
    record = json.loads((done / "scores.json").read_text())
    assert list(record["sets"]) == ["same", "bright", "others"]
    assert {s["n"] for s in record["sets"].values()} == {12}
    assert any("12 of 14 of others" in note for note in record["notes"])
    lines = (done / "scores.csv").read_text().splitlines()
    assert sum(line.startswith("bright,random-3d/kid,") for line in lines) == 1
    assert (done / "figures" / "merits-random-3d.png").is_file()
    page = (done / "index.html").read_text()
    assert "Differences between sets" in page


def test_differences_have_the_right_p(done):
    """Sets of one kind do not differ; the brighter one differs from both."""
    record = json.loads((done / "scores.json").read_text())
    p = {(d["a"], d["b"]): d for d in record["differences"] if d["key"] == "spectrum/high"}
    assert set(p) == {("same", "bright"), ("same", "others"), ("bright", "others")}
    assert p["same", "others"]["p"] > 0.05
    assert p["same", "bright"]["p"] < 0.01
    assert p["bright", "others"]["p_holm"] >= p["bright", "others"]["p"]
    values = {n: {s["key"]: s["value"] for s in v["scores"]} for n, v in record["sets"].items()}
    gap = values["same"]["spectrum/high"] - values["bright"]["spectrum/high"]
    assert p["same", "bright"]["difference"] == pytest.approx(gap)
    assert not any(
        "precision" in d["key"] for d in record["differences"]
    )  # its manifolds are not resampled


def test_one_set_is_nothing_to_compare(world, tmp_path):
    with pytest.raises(ValueError, match="compare takes two or more"):
        compare.run(
            CompareConfig(sets=str(world / "same"), reference=str(world / "real")), tmp_path / "out"
        )


def test_a_set_may_be_called_real(world):
    found = read_sets({"real": str(world / "same"), "b": str(world / "bright")})
    assert [s.name for s in found] == ["real (samples)", "b"]
