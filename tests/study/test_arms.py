from pathlib import Path

import pytest
import yaml

from neuromf.evaluation.command import CompareConfig
from neuromf.generation.command import GenerateConfig
from neuromf.runtime.config import ConfigError, load_record
from neuromf.study.arms import planned, read_steps
from neuromf.study.config import SweepConfig

CHAIN = {
    "train": ["train", "preset=small2mm", "latents=l"],
    "draw": "generate model=$train n=3",
    "judge": ["evaluate", "samples=$draw", "reference=v"],
}


def test_every_combination_with_every_seed():
    axes = {"train.updates": [5, 6], "calls": {"one": [], "two": ["draw.nfe=2"]}}
    arms = planned(SweepConfig(CHAIN, axes, (3, 4)))
    assert len(arms) == len({arm.name for arm in arms}) == 8
    last = arms[-1]
    assert last.name == "updates-6_calls-two_seed-4"
    assert (last.group, last.seed) == ("updates-6_calls-two", 4)
    configs = {step: yaml.safe_load(text) for step, text in last.configs.items()}
    assert [c["seed"] for c in configs.values()] == [4, 4, 4]
    assert configs["train"]["updates"] == 6
    assert configs["draw"]["nfe"] == 2


def test_steps_find_each_others_folders(tmp_path):
    (arm,) = planned(SweepConfig(CHAIN))
    texts = arm.texts(tmp_path)
    assert yaml.safe_load(texts["draw"])["model"] == str(tmp_path / "train")
    assert yaml.safe_load(texts["judge"])["samples"] == str(tmp_path / "draw")


@pytest.mark.parametrize("name", ["runs #2", "a: b", "back\\slash", "it's", "- x", "1e5"])
def test_a_folder_may_have_any_name(name):
    (arm,) = planned(
        SweepConfig({**CHAIN, "judge": ["compare", "sets={a: $draw, b: x}", "reference=v"]})
    )
    texts = arm.texts(Path(name))
    assert texts["train"] == arm.configs["train"]
    assert load_record(GenerateConfig, texts["draw"], "").model == str(Path(name, "train"))
    judged = load_record(CompareConfig, texts["judge"], "")
    assert judged.sets == {"a": str(Path(name, "draw")), "b": "x"}
    usual = [line for line in arm.configs["draw"].splitlines() if "$" not in line]
    assert set(usual) < set(texts["draw"].splitlines())


def test_the_seed_of_a_study_is_the_only_difference():
    first, second = planned(SweepConfig(CHAIN, seeds=(0, 1)))
    assert first.group == second.group == "all"
    for step in CHAIN:
        assert first.configs[step].replace("seed: 0", "seed: 1") == second.configs[step]


@pytest.mark.parametrize(
    ("steps", "axes", "message"),
    [
        ({"train": ["drive"]}, {}, "'drive' is no verb of a step"),
        ({"a": ["sweep"]}, {}, "'sweep' is no verb of a step"),
        ({"a b": ["train"]}, {}, "letters, digits and -"),
        ({"a": []}, {}, r"\[VERB, KEY=VALUE"),
        ({"a": ["train", "out=x"]}, {}, "gives every step its folder"),
        ({"a": ["train", "launch=slurm"]}, {}, "beside `neuromf sweep`"),
        ({"a": ["generate", "model=$train"]}, {}, "names no earlier step; before it come none"),
        (
            CHAIN,
            {"train.update": [1]},
            "update-1: train: unknown key 'update'.*did you mean 'updates'",
        ),
        (CHAIN, {"draw.model": ["$nope"]}, "model-nope: draw: 'model=.nope' names no earlier step"),
        (CHAIN, {"train.start": ["$draw"]}, "before it come none"),
        (CHAIN, {"k": {"a": ["train.out=x"]}}, "gives every step its folder"),
        (CHAIN, {"train.updates": ["many"]}, "updates-many: train: updates"),
        (CHAIN, {"train.devices": [2]}, "an arm is one process"),
    ],
)
def test_wrong_steps_and_values_are_refused(steps, axes, message):
    with pytest.raises(ConfigError, match=message):
        planned(SweepConfig(steps, axes))


def test_equal_arms_are_refused_by_name():
    axes = {"p": {"two": ["train.objective.p=2"], "usual": []}}
    with pytest.raises(ConfigError, match="p-two_seed-0 and p-usual_seed-0 are the same"):
        planned(SweepConfig(CHAIN, axes))
    with pytest.raises(ConfigError, match="seed-0 and seed-1 are the same"):
        planned(SweepConfig({"look": ["inspect", "latents=l"]}, seeds=(0, 1)))


def test_long_names_ask_for_labels():
    axes = {f"train.optimiser.{k}": ["0." + "1" * 70] for k in ("lr", "clip", "weight_decay")}
    with pytest.raises(ConfigError, match="give axes and values shorter labels"):
        planned(SweepConfig(CHAIN, axes))


def test_words_may_be_one_text():
    (step,) = read_steps({"draw": "generate model='a b' n=2"})
    assert (step.verb, step.words) == ("generate", ("model=a b", "n=2"))
