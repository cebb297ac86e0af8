"""Renamed keys are read in files and refused in words; free keys may change."""

from dataclasses import dataclass, field

import pytest

from neuromf.runtime import config as settings
from neuromf.runtime.fields import NAMED, differences, free_keys, key, new_name, renamed


@dataclass(frozen=True)
class Inner:
    width: int = key(3, formerly="size")
    depth: int = 1


@dataclass(frozen=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    workers: int = key(0, free=True)
    seed: int = 0

    __dropped__ = ("launch",)


@dataclass(frozen=True)
class Named:
    axes: dict[str, int] = field(default_factory=dict, metadata=NAMED | {"free": True})


def test_files_of_earlier_versions_are_read():
    old = {"launch": "here", "inner": {"size": 7, "depth": 2}, "seed": 5}
    assert renamed(old, Outer) == {"inner": {"width": 7, "depth": 2}, "seed": 5}
    text = "launch: here\ninner: {size: 7}\n"
    assert settings.load_record(Outer, text, "config.yaml") == Outer(Inner(7))
    assert new_name(Inner, "size") == "width"
    assert new_name(Inner, "other") == ""


def test_words_are_refused_with_the_new_name(tmp_path):
    (tmp_path / "old.yaml").write_text("inner:\n  size: 7\n")
    for word in ("inner.size=7", str(tmp_path / "old.yaml")):
        with pytest.raises(settings.ConfigError, match=r"is called 'inner\.width' now"):
            settings.load(Outer, [word], "verb")


def test_what_a_resumed_run_may_change():
    assert free_keys(Outer) == {"workers"}
    before = settings.to_yaml(Outer())
    assert differences(before, settings.to_yaml(Outer(workers=4)), Outer) == []
    changed = settings.to_yaml(Outer(Inner(width=4), seed=1))
    assert differences(before, changed, Outer) == [
        "- inner.width: 3",
        "+ inner.width: 4",
        "- seed: 0",
        "+ seed: 1",
    ]


def test_what_a_resumed_run_may_add_to_a_dictionary():
    before = settings.to_yaml(Named({"a": 1}))
    assert differences(before, settings.to_yaml(Named({"a": 2, "b": 3})), Named) == []


def test_a_file_that_is_no_configuration(tmp_path):
    for text in ("[1", "- 1\n- 2", "unknown: 3", "seed: text"):
        with pytest.raises(settings.ConfigError, match="not a configuration of this version"):
            settings.load_record(Outer, text, "config.yaml")
