from dataclasses import dataclass, field

from neuromf.runtime import config as settings
from neuromf.runtime.keys import comments, describe
from neuromf.training.config import TrainConfig


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5  # of learning
    wrapped: bool = (
        False  # a comment inside brackets
    )  # fmt: skip
    bare: int = 1


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    names: tuple[str, ...] = ("a", "b")  # of something
    maybe: Inner | None = None


@dataclass(frozen=True)
class Derived(Outer):
    more: str = ""  # text


def test_comments_are_read_from_the_source():
    assert comments(Inner) == {
        "rate": "of learning",
        "wrapped": "a comment inside brackets fmt: skip",
        "bare": "",
    }


def test_every_key_with_value_and_meaning():
    assert [" ".join(line.split()) for line in describe(Derived, Derived())] == [
        "inner.rate 0.5 of learning",
        "inner.wrapped false a comment inside brackets fmt: skip",
        "inner.bare 1",
        "names ['a', 'b'] of something",
        "maybe null",
        "more '' text",
    ]
    assert describe(Derived, Derived(), "inner.b") == ["inner.bare  1"]
    assert describe(Derived, Derived(), "nothing") == []


def test_of_a_real_verb():
    lines = describe(
        TrainConfig, settings.load(TrainConfig, ["preset=small2mm"], "train"), "optimiser."
    )
    assert any(
        line.split()[:2] == ["optimiser.clip", "1.0"] and "norm of the gradient" in line
        for line in lines
    )
