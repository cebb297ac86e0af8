"""The axes of a study's grid: the words that each value of an axis adds to the steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from neuromf.runtime.config import ConfigError

LONGEST = 60  # characters of a value in the name of an arm

Words = dict[str, list[str]]  # by step


@dataclass(frozen=True)
class Axis:
    """One axis: its name, and for each label the words that it adds to the steps."""

    name: str
    values: dict[str, Words]


def read_axes(axes: Mapping[str, Any], steps: Sequence[str]) -> list[Axis]:
    """Return the axes of a study whose steps are called `steps`. Raises ConfigError where an axis
    is empty, names a step that is not there, or has two values with one label.
    """
    found = [_axis(str(name), values, steps) for name, values in axes.items()]
    names = [axis.name for axis in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(
            f"two axes are called {twice[0]!r}: give one of them values with labels, "
            "NAME: {LABEL: [STEP.KEY=VALUE]}"
        )
    return found


def _axis(name: str, values: Any, steps: Sequence[str]) -> Axis:
    where = f"axes.{name}"
    if not values or not isinstance(values, list | tuple | Mapping):
        raise ConfigError(f"{where} is {values!r}: a list of values, or LABEL: [STEP.KEY=VALUE]")
    if isinstance(values, Mapping) and name in steps:
        raise ConfigError(
            f"{where}: {name} is a step, no label: an axis of a key's values stands in the file, "
            f"as {name}.KEY: [values]"
        )
    if isinstance(values, Mapping):
        return Axis(_plain(name), _labelled(values, steps, where))

    found: dict[str, Words] = {}
    for value in values:
        label, text = _plain(_text(value)), _text(value)
        if label in found:
            raise ConfigError(
                f"{where} has two values called {label!r}: take one away, or write "
                f"{name}: {{LABEL: [{name}=VALUE], ...}}"
            )
        found[label] = _split([f"{name}={text}"], steps, where)
    return Axis(_plain(name.rpartition(".")[2]), found)


def _labelled(values: Mapping[Any, Any], steps: Sequence[str], where: str) -> dict[str, Words]:
    """Return the words of each label. Raises ConfigError where two are one as folders' names."""
    found: dict[str, Words] = {}
    for given, added in values.items():
        label = _plain(str(given))
        if label in found:
            raise ConfigError(
                f"{where} has two labels that are {label!r} in the names of folders, which keep "
                f"letters, digits, `.`, `+` and `-`, {LONGEST} at most: rename {given!r}"
            )
        found[label] = _split(added, steps, where)
    return found


def _split(words: Any, steps: Sequence[str], where: str) -> Words:
    """Return words STEP.KEY=VALUE by step; in a study of one step its name may be left out."""
    if not isinstance(words, list | tuple) or not all(isinstance(w, str) for w in words):
        raise ConfigError(f"{where}: {words!r} is no list of words [STEP.KEY=VALUE, ...]")
    found: Words = {}
    for word in words:
        step, dot, rest = word.partition("=")[0].partition(".")
        if step in steps and dot and rest:
            found.setdefault(step, []).append(word[len(step) + 1 :])
        elif len(steps) == 1 and "=" in word:
            found.setdefault(steps[0], []).append(word)
        else:
            raise ConfigError(
                f"{where}: {word!r} begins with no step: the steps are {', '.join(steps)}, a key "
                f"is written as {steps[0]}.KEY"
            )
    return found


def _text(value: Any) -> str:
    """Return a value as it stands on a command line."""
    if isinstance(value, str):
        return value
    return (
        yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()
    )


def _plain(text: str) -> str:
    """Return a text as a part of a folder's name."""
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text).strip("-")[:LONGEST] or "none"
