import pytest

from neuromf.runtime.cluster import Launch
from neuromf.runtime.config import to_yaml
from neuromf.study.arms import planned
from neuromf.study.checking import check_arms
from neuromf.study.config import SweepConfig
from neuromf.study.sweep import launch
from training.support import latent_store, tiny_config

STEPS = {"fit": "train"}


def study(*words, **more):
    """Return a study of tiny trainings on the CPU, two seeds each."""
    return SweepConfig({"fit": ["train", *words]}, seeds=(0, 1), **more)


def test_a_kind_of_training_is_checked_once(tmp_path):
    store = latent_store(tmp_path / "latents")
    (tmp_path / "tiny.yaml").write_text(to_yaml(tiny_config(store, ema=(0.99,))))
    axes = {"fit.batch": [2, 4], "fit.updates": [6, 7]}
    config = study(str(tmp_path / "tiny.yaml"), axes=axes)
    said = check_arms(planned(config), STEPS)
    needs = [line for line in said if "needs about" in line]
    assert [line.split(": ")[0] for line in needs] == [
        "batch-2_updates-6_seed-0",
        "batch-4_updates-6_seed-0",
    ]
    assert any("the average lags behind" in line for line in said)


def test_every_value_of_an_axis_is_checked(tmp_path):
    store = latent_store(tmp_path / "latents")
    (tmp_path / "tiny.yaml").write_text(to_yaml(tiny_config(store)))
    axes = {"fit.start": ["", str(tmp_path / "missing")]}
    arms = planned(study(str(tmp_path / "tiny.yaml"), axes=axes))
    with pytest.raises(ValueError, match=r"_seed-0: fit: .*missing: no folder"):
        check_arms(arms, STEPS)


def test_latents_that_are_not_there_are_said_before_anything_is_submitted(tmp_path):
    config = study(f"latents={tmp_path / 'absent'}")
    with pytest.raises(ValueError, match=r"^seed-0: fit: .*absent"):
        launch(config, tmp_path / "study", Launch("slurm"), resume=False, overwrite=False)
    assert not (tmp_path / "study").exists()


def test_a_step_after_another_cannot_be_checked(tmp_path):
    steps = {"draw": ["generate", "model=m"], "fit": ["train", "start=$draw", "latents=nowhere"]}
    assert check_arms(planned(SweepConfig(steps)), {"draw": "generate", "fit": "train"}) == []
