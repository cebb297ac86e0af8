import json
from dataclasses import replace

import pytest
import torch
from rich.progress import Progress

from neuromf.flow import MeanFlow, TimeSampler
from neuromf.nets import UNetConfig
from neuromf.torus import Arm, ToyConfig, run
from neuromf.torus.study import measure, train
from reporting.support import check_page

SHORT = Arm(epochs=12, steps=10, width=64, batch=256, samples=500)


class Exact(torch.nn.Module):
    """Draws the nearest point of the torus: a perfect one-step answer at t = 1."""

    def __init__(self, torus):
        super().__init__()
        self.torus = torus

    def forward(self, z, t, r):
        return self.torus.embed(self.torus.angles(z))


def test_perfect_samples_measure_as_perfect():
    arm = replace(SHORT, samples=4000)
    metrics, arrays = measure(arm, arm.torus(), Exact(arm.torus()), seed=0)
    assert metrics["distance_1"] < 1e-6
    assert min(metrics["ks_p_angle_1"], metrics["ks_p_angle_2"]) > 0.01
    assert arrays["coordinates_1"].shape == (4000, 4)


def test_noise_does_not_pass_for_samples():
    arm = SHORT
    metrics, _ = measure(arm, arm.torus(), lambda z, t, r: z, seed=0)
    assert metrics["distance_1"] > 0.5


def test_training_lowers_the_raw_loss_and_the_distance_and_repeats_to_the_bit():
    results = []
    for _ in range(2):
        with Progress(disable=True) as progress:
            results.append(train(SHORT, 0, progress, "r4"))
    (result, weights), (again, weights_again) = results
    assert result.loss[-1] < 0.8 * result.loss[0]
    assert result.metrics["distance_1"] < 0.5  # noise is at 1.3
    assert result.loss == again.loss
    assert all(torch.equal(weights[name], weights_again[name]) for name in weights)


def test_ways_to_the_derivative_train_alike():
    losses = {}
    for way in ("exact", "two-stream", "finite", "none"):
        with Progress(disable=True) as progress:
            arm = replace(SHORT, epochs=3, objective=MeanFlow(jvp=way))
            losses[way] = train(arm, 0, progress, "r4")[0].loss[-1]
    assert losses["two-stream"] == pytest.approx(losses["exact"], rel=1e-5)
    assert losses["finite"] == pytest.approx(losses["exact"], rel=1e-3)
    assert abs(losses["none"] - losses["exact"]) > 1e-3 * losses["exact"]


def test_flow_matching_is_a_value_not_another_trainer():
    arm = replace(SHORT, objective=MeanFlow(jvp="none"), times=TimeSampler(equal_fraction=1.0))
    with Progress(disable=True) as progress:
        result, _ = train(arm, 0, progress, "r4")
    assert result.loss[-1] < result.loss[0]


def test_a_run_writes_its_page_and_a_resumed_one_keeps_finished_arms(tmp_path):
    tiny = UNetConfig(
        channels=(16, 32),
        attention=(False, True),
        attention_head_channels=(0, 16),
        res_blocks=1,
        norm_groups=4,
    )
    volume = replace(SHORT, space="volume", size=4, net=tiny, batch=4, epochs=1, steps=2, samples=3)
    config = ToyConfig(arms={"a": replace(SHORT, epochs=1), "v": volume})
    metrics = run(config, tmp_path / "out")
    page = check_page((tmp_path / "out" / "index.html").read_text(), "toy")
    assert len(page.all("img")) == 7
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()).keys() == {"a", "v"}
    (tmp_path / "out" / "arms" / "v" / "metrics.json").unlink()
    before = (tmp_path / "out" / "arms" / "a" / "model.safetensors").stat().st_mtime_ns
    again = run(config, tmp_path / "out", resume=True)
    assert (tmp_path / "out" / "arms" / "a" / "model.safetensors").stat().st_mtime_ns == before
    same = {k: v for k, v in metrics["v"].items() if k != "seconds"}
    assert {k: v for k, v in again["v"].items() if k != "seconds"} == pytest.approx(
        same, nan_ok=True
    )


def test_a_loss_that_leaves_the_numbers_stops_the_run():
    with (
        pytest.raises(ValueError, match=r"raw loss is nan in epoch .*lower lr"),
        Progress(disable=True) as progress,
    ):
        train(replace(SHORT, lr=1e30), 0, progress, "r4")


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
