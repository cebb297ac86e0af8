import pytest

from neuromf.runtime.config import ConfigError
from neuromf.study.axes import read_axes


def test_values_of_a_key_and_labelled_words():
    lr, kind = read_axes(
        {
            "train.optimiser.lr": [1e-3, 0.01],
            "kind": {"x": ["train.a=x"], "skip": ["train.a=u", "generate.b=[1,2]"]},
        },
        ["train", "generate"],
    )
    assert lr.name == "lr"
    assert lr.values["0.001"] == {"train": ["optimiser.lr=0.001"]}
    assert kind.values == {
        "x": {"train": ["a=x"]},
        "skip": {"train": ["a=u"], "generate": ["b=[1,2]"]},
    }


def test_lists_truth_and_nothing_are_written_as_on_a_command_line():
    (axis,) = read_axes({"ema": [[0.9, 0.99], True, None]}, ["train"])
    assert axis.values == {
        "0.9-0.99": {"train": ["ema=[0.9, 0.99]"]},
        "true": {"train": ["ema=true"]},
        "null": {"train": ["ema=null"]},
    }


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"train.lr": []}, "a list of values"),
        ({"train.lr": 3}, "a list of values"),
        ({"lr": [1]}, "begins with no step: the steps are train, generate"),
        ({"other.lr": [1]}, "begins with no step"),
        ({"k": {"a": "train.lr=1"}}, "is no list of words"),
        ({"train": {"lr": [1]}}, "train is a step, no label"),
        ({"train.lr": [1, 1]}, "two values called '1'"),
        ({"w": {"λ=0.1": ["train.lr=1"], "μ=0.1": ["train.lr=2"]}}, "two labels that are '0.1'"),
        ({"w": {"a/b": ["train.lr=1"], "a b": ["train.lr=2"]}}, "rename 'a b'"),
        ({"w": {"x" * 60 + end: [f"train.lr={end}"] for end in "12"}}, "60 at most"),
        ({"train.a.lr": [1], "train.b.lr": [1]}, "two axes are called 'lr'"),
    ],
)
def test_wrong_axes_are_refused(axes, message):
    with pytest.raises(ConfigError, match=message):
        read_axes(axes, ["train", "generate"])
