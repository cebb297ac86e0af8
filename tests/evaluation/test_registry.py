"""The table of metrics: adding one is adding one entry."""

import csv

import pytest

from neuromf.evaluation import registry
from neuromf.evaluation.command import CompareConfig, run
from neuromf.evaluation.feature_comparison import FeatureComparison
from neuromf.evaluation.metric import Metric, from_zero
from neuromf.evaluation.results import read_scores

TOY = Metric(
    FeatureComparison,
    *(
        "toy",
        "toy distance",
        "lower",
        lambda c, bootstrap: 2 * c.distances.mean() * weight(bootstrap),
    ),
    unit="mm",
    interval=from_zero,
    compared=True,
    plotted=True,
    printed=True,
    tested=True,
)


def weight(bootstrap):
    return 1.0 if bootstrap is None else bootstrap.a[:, 0] + bootstrap.r[:, 0]


def test_a_metric_that_is_added_is_everywhere(world, kept, tmp_path, monkeypatch, capsys):
    """One entry: value, interval, references, table, plot, p, terminal."""
    monkeypatch.setattr(registry, "METRICS", (TOY, *registry.METRICS))
    config = CompareConfig(
        sets={"same": str(world / "same"), "bright": str(world / "bright")},
        reference=str(world / "real"),
        extractors=("random-3d",),
        morphology="none",
        vae="none",
        bootstrap=10,
        draws=2,
        pairs=3,
        cache=str(kept),
        workers=1,
        device="cpu",
    )
    run(config, tmp_path / "out")
    results = read_scores(tmp_path / "out" / "scores.json")
    score = results.sets["same"].score("random-3d/toy")
    assert score.value == 2 * results.sets["same"].score("random-3d/nearest").value
    assert score.interval.low < score.value < score.interval.high
    assert set(score.beside) == {"samples", "real"}
    assert len(score.replicates) == 10
    assert next(d.key for d in results.differences) == "random-3d/toy"

    with (tmp_path / "out" / "scores.csv").open(newline="") as stream:
        found = [row for row in csv.DictReader(stream) if row["metric"] == "random-3d/toy"]
    assert [row["set"] for row in found] == ["same", "bright"]
    assert float(found[0]["value"]) == score.value
    assert found[0]["label"] == "toy distance, mm"
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("toy distance, mm") == 1
    assert page.count('<th scope="row">random-3d/toy</th>') == 1
    assert capsys.readouterr().out.count("toy distance, mm") == 2


def test_keys_are_unique():
    keys = [(metric.of, metric.key) for metric in registry.METRICS]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("metric", registry.METRICS, ids=lambda m: f"{m.of.__name__}-{m.key}")
def test_every_metric_has_a_name(metric):
    assert metric.label
    assert metric.better in {"lower", "higher", "real", "none"}
    assert metric.fewest >= 1
