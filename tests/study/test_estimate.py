import pytest

from neuromf.runtime.config import load
from neuromf.study.arms import planned
from neuromf.study.config import SweepConfig
from neuromf.study.estimate import MEASUREMENTS, Cost, Estimates, plan_table
from neuromf.study.pool import Share
from neuromf.training.config import TrainConfig
from study.support import quick_study


def test_one_short_run_for_arms_of_one_kind():
    small, large = planned(quick_study([1, 1000]))
    with Estimates() as estimates:
        a, b = (estimates.of(arm, {"toy": "toy"})["toy"] for arm in (small, large))
        assert len(estimates.known) == 1
        ((start, _),) = estimates.known.values()
        assert 0 < start < a.seconds < b.seconds
        assert (b.seconds - start) / (a.seconds - start) == pytest.approx(1000, rel=0.01)
    assert not estimates.root.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["distillation.pairs=64"],
        ["objective.flow_weight=0.5"],
        ["times.equal_fraction=0.25"],
        ["optimiser.kind=muon"],
        ["ema=[0.99,0.999]"],
        ["conditions.age=number"],
    ],
)
def test_what_changes_the_cost_of_a_training_is_measured_by_itself(words):
    depends = MEASUREMENTS["train"].depends
    usual = load(TrainConfig, ["latents=latents"], "train")
    assert depends(load(TrainConfig, ["latents=latents", *words], "train")) != depends(usual)
    same = ["latents=latents", "seed=3", "updates=7", "optimiser.lr=0.5", "objective.p=1"]
    assert depends(load(TrainConfig, same, "train")) == depends(usual)


def test_what_cannot_run_says_so_before_anything_runs():
    (arm,) = planned(SweepConfig({"fit": ["train", "latents=nowhere"]}))
    with Estimates() as estimates, pytest.raises(ValueError, match="seed-0: fit fails: .*nowhere"):
        estimates.of(arm, {"fit": "train"})


def test_steps_that_wait_for_others_are_not_measured():
    steps = {"draw": ["generate", "model=m"], "fit": ["train", "start=$draw"]}
    (arm,) = planned(SweepConfig(steps))
    with Estimates() as estimates:
        assert estimates.of(arm, {"draw": "generate", "fit": "train"}) == {}


def test_the_table_adds_up():
    costs = {
        "a": {"fit": Cost(3600, 2.0, 0.5), "draw": Cost(60, 3.0, 0.25)},
        "b": {"fit": Cost(3600, 2.0, 0.5)},
        "c": {},
    }
    lines = plan_table(costs, Share(2, 1), ["judge"]).splitlines()
    assert lines[1].split() == ["a", "61", "min", "3.00", "0.750"]
    assert lines[3].split() == ["c", "not", "measured"]
    assert lines[5] == (
        "3 arms, 2 at once: 60 min, 1.25 GB on disk; memory_gb=3.0 is the most that an arm needs"
    )
    assert lines[6] == "not in these figures: judge"
