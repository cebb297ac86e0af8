import json
import math
from dataclasses import replace

import pytest
import torch
from rich.progress import Progress

from neuromf.flow import MeanFlow, TimeSampler
from neuromf.nets.config import Precondition
from neuromf.torus import ToyConfig, run
from neuromf.torus.study import train
from reporting.support import check_page
from torus.support import SHORT, TINY, TINY_BLOBS, TINY_D16, TINY_VOLUME

# What these arms gave before the space "blobs" was there: losses of both epochs, distances.
BEFORE = {
    "r4-x": (TINY, [19.070218658447267, 16.051792335510253],
             (0.7849708795547485, 0.7988377213478088, 0.7868702411651611), 0.005998335313051939),
    "d16-u": (TINY_D16, [17.93833351135254, 17.243354034423827],
              (3.681732177734375, 3.681196928024292, 3.6812376976013184), 0.011167428456246853),
    "volume4-x": (TINY_VOLUME, [25.502328872680664, 160.02732467651367],
                  (0.9669684767723083, 0.9468486905097961, 0.9630686640739441),
                  0.015759846195578575),
}  # fmt: skip


def trained(arm):
    with Progress(disable=True) as progress:
        return train({"arm": arm}, "arm", 0, progress, {})


@pytest.mark.parametrize("name", BEFORE)
def test_an_arm_gives_what_it_always_gave(name):
    """Equal to the last digit with the same torch on the same machine; others round otherwise."""
    arm, losses, distances, residual = BEFORE[name]
    result, _ = trained(arm)
    found = [result.metrics[f"distance_{which}"] for which in ("1", "5", "1_online")]
    assert result.loss == pytest.approx(losses, rel=1e-4)
    assert found == pytest.approx(distances, rel=1e-4)
    assert result.metrics["composition_residual"] == pytest.approx(residual, rel=1e-3)


def test_training_lowers_the_raw_loss_and_the_distance_and_repeats_to_the_bit():
    (result, weights), (again, weights_again) = trained(SHORT), trained(SHORT)
    assert result.loss[-1] < 0.8 * result.loss[0]
    assert result.metrics["distance_1"] < 0.5  # noise is at 1.3
    assert result.loss == again.loss
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)


def test_ways_to_the_derivative_train_alike():
    losses = {
        way: trained(replace(SHORT, epochs=3, objective=MeanFlow(jvp=way)))[0].loss[-1]
        for way in ("exact", "two-stream", "finite")
    }
    assert losses["two-stream"] == pytest.approx(losses["exact"], rel=1e-5)
    assert losses["finite"] == pytest.approx(losses["exact"], rel=1e-3)


@pytest.mark.parametrize("kind", ["none", "skip", "gaussian"])
def test_flow_matching_is_a_value_not_another_trainer(kind):
    arm = replace(
        TINY_BLOBS if kind == "gaussian" else replace(SHORT, steps=20),
        objective=MeanFlow(predict="u", jvp="none"),
        times=TimeSampler(equal_fraction=1.0),
        precondition=Precondition(kind=kind),
        calls=(1, 8),
    )
    result, _ = trained(arm)
    if kind == "none":  # with a precondition the loss begins where training would take it
        assert result.loss[-1] < result.loss[0]
    assert all(map(math.isfinite, result.loss))
    assert 0 < result.metrics["distance_8"] < 1.2  # noise is at 1.2 and 1.3


@pytest.mark.parametrize("kind", ["skip", "gaussian"])
def test_ways_to_the_derivative_go_through_the_precondition(kind):
    losses = {
        way: trained(
            replace(
                TINY_BLOBS,
                objective=MeanFlow(predict="u", jvp=way),
                precondition=Precondition(kind=kind),
            )
        )[0].loss
        for way in ("exact", "two-stream")
    }
    assert losses["two-stream"] == pytest.approx(losses["exact"], rel=1e-4)


def test_a_run_writes_its_page_and_a_resumed_one_keeps_finished_arms(tmp_path):
    arms = {"a": replace(SHORT, epochs=1), "v": TINY_VOLUME, "b": TINY_BLOBS}
    config = ToyConfig(arms=arms)
    metrics = run(config, tmp_path / "out")
    page = check_page((tmp_path / "out" / "index.html").read_text(), "toy")
    assert len(page.all("img")) == 2 + 2 + 3 + 3
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()).keys() == arms.keys()
    (tmp_path / "out" / "arms" / "v" / "metrics.json").unlink()
    before = (tmp_path / "out" / "arms" / "a" / "model.safetensors").stat().st_mtime_ns
    again = run(config, tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "arms" / "a" / "model.safetensors").stat().st_mtime_ns == before
    same = {k: v for k, v in metrics["v"].items() if k != "seconds"}
    assert {k: v for k, v in again["v"].items() if k != "seconds"} == pytest.approx(
        same, nan_ok=True
    )


def test_a_run_of_one_arm_writes_its_figures_flat(tmp_path):
    run(ToyConfig(arms={"a": TINY, "b": TINY_BLOBS}, only=("b",), seed=3), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert list(found) == ["b"]
    assert all(isinstance(value, int | float) for value in found["b"].values())
    kept = json.loads((tmp_path / "out" / "arms" / "b" / "metrics.json").read_text())
    assert kept["metrics"] == found["b"]


def test_a_resumed_run_takes_arms_of_an_earlier_version(tmp_path):
    config = ToyConfig(arms={"a": TINY})
    run(config, tmp_path / "out")
    stored = tmp_path / "out" / "arms" / "a" / "metrics.json"
    record = json.loads(stored.read_text())
    record["metrics"] = {k: v for k, v in record["metrics"].items() if "energy" not in k}
    stored.write_text(json.dumps(record))
    assert "energy_angles_1" not in run(config, tmp_path / "out", resume=True)["a"]


def test_a_loss_that_leaves_the_numbers_stops_the_run():
    with (
        pytest.raises(ValueError, match=r"raw loss is nan in epoch .*lower lr"),
        Progress(disable=True) as progress,
    ):
        train({"r4": replace(SHORT, lr=1e30)}, "r4", 0, progress, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "preset=quick"),
        ({"arms": {"a": SHORT}, "only": ("b",)}, "only names b: the arms are a"),
    ],
)
def test_bad_arms_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ToyConfig(**options)


@pytest.mark.parametrize("name", ["x/u", "..", "a\\b", "", ".hidden", "a:b", "what?"])
def test_arms_have_names_that_files_can_have(name):
    """Before they are trained."""
    with pytest.raises(ValueError, match="arms names one .*letters"):
        ToyConfig(arms={name: TINY})
    assert ToyConfig(arms={"p=1.5 (ä)": TINY}).chosen()
