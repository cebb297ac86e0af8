from dataclasses import dataclass, field, fields

import pytest
from typer.testing import CliRunner

from neuromf.cli import app
from neuromf.invoke import schema_of
from neuromf.runtime import config as settings
from neuromf.runtime.keys import comments, describe
from neuromf.training.config import TrainConfig
from neuromf.verbs import VERBS


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


@dataclass(frozen=True)
class Named:
    parts: dict[str, Inner] = field(default_factory=dict)  # by name


def test_the_keys_of_what_a_mapping_of_names_holds_come_once():
    lines = describe(Named, Named({"one": Inner(0.1), "two": Inner()}))
    assert [" ".join(line.split()) for line in lines] == [
        "parts one, two by name",
        "parts.NAME.rate 0.5 of learning",
        "parts.NAME.wrapped false a comment inside brackets fmt: skip",
        "parts.NAME.bare 1",
    ]
    assert describe(Named, Named())[0].split() == ["parts", "{}", "by", "name"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_what_its_keys_mean(verb: str):
    schema = schema_of(VERBS[verb])
    said = CliRunner().invoke(app, ["keys", verb])
    assert said.exit_code == 0
    assert all(f"\n{key.name}" in f"\n{said.output}" for key in fields(schema))
