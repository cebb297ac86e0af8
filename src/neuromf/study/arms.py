"""A study's grid as arms: complete configurations, each under the name of what differs."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from neuromf.invoke import resolved
from neuromf.runtime.config import ConfigError, to_yaml
from neuromf.study.axes import Words, read_axes
from neuromf.study.config import SweepConfig
from neuromf.verbs import VERBS

STEP = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")
REFERENCE = re.compile(r"\$([A-Za-z][A-Za-z0-9-]*)")  # to the folder of an earlier step
LONGEST = 180  # characters of a name: file systems end at 255
OURS = ("sweep", "tabulate")
PLACE = ("out=", "launch=", "slurm.", "--")


@dataclass(frozen=True)
class Step:
    """One command of every arm: its name, verb and words."""

    name: str
    verb: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Arm:
    """One combination of the axes' values, with one seed."""

    name: str
    group: str  # the name without the seed
    seed: int
    values: dict[str, str]  # label of its value by axis
    configs: dict[str, str]  # complete YAML by step, $NAME for the folder of a step

    def texts(self, folder: Path) -> dict[str, str]:
        """Return the YAML of each step where the arm's folder is `folder`."""
        return {step: _placed(text, folder) for step, text in self.configs.items()}


def _placed(text: str, folder: Path) -> str:
    """Return YAML with the folders of steps in the place of $NAME: in its values, since a path with
    ` #`, `: ` or a backslash would be something else within the text.
    """
    if not REFERENCE.search(text):
        return text

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: put(item) for key, item in value.items()}
        if isinstance(value, list):
            return [put(item) for item in value]
        if isinstance(value, str):
            return REFERENCE.sub(lambda found: str(folder / found[1]), value)
        return value

    record = put(OmegaConf.to_container(OmegaConf.create(text)))
    return OmegaConf.to_yaml(OmegaConf.create(record))


def read_steps(steps: Mapping[str, Any]) -> list[Step]:
    """Return the steps of a study. Raises ConfigError for a verb that is not known, or words that
    a step cannot have.
    """
    found: list[Step] = []
    for name, words in steps.items():
        given = shlex.split(words) if isinstance(words, str) else words
        if not isinstance(given, list | tuple) or not given or not STEP.match(str(name)):
            raise ConfigError(
                f"steps.{name} is {words!r}: NAME: [VERB, KEY=VALUE, ...] is needed, the name of "
                "letters, digits and -"
            )
        verb, *rest = (str(word) for word in given)
        if verb not in VERBS or verb in OURS:
            known = ", ".join(v for v in VERBS if v not in OURS)
            raise ConfigError(f"steps.{name}: {verb!r} is no verb of a step: {known}")
        _refuse_words(f"steps.{name}", rest, [step.name for step in found])
        found.append(Step(str(name), verb, tuple(rest)))
    return found


def _refuse_words(where: str, words: Sequence[str], earlier: Sequence[str]) -> None:
    for word in words:
        if word.startswith(PLACE):
            raise ConfigError(
                f"{where}: {word!r}: a study gives every step its folder and resumes it; "
                "launch= and slurm. stand beside `neuromf sweep`"
            )
        for reference in REFERENCE.findall(word):
            if reference not in earlier:
                raise ConfigError(
                    f"{where}: {word!r} names no earlier step; before it come "
                    f"{', '.join(earlier) or 'none'}"
                )


def planned(config: SweepConfig) -> list[Arm]:
    """Return all arms of a study, seeds of a combination one after another.

    Raises ConfigError for a key that is not known or a value that a step refuses, with the arm's
    name, and where two arms would be the same.
    """
    steps = read_steps(config.steps)
    axes = read_axes(config.axes, [step.name for step in steps])
    arms: list[Arm] = []
    seen: dict[tuple[str, ...], str] = {}
    for labels in itertools.product(*(axis.values for axis in axes)):
        values = {axis.name: label for axis, label in zip(axes, labels, strict=True)}
        words = [axis.values[label] for axis, label in zip(axes, labels, strict=True)]
        for arm in _seeded(values, _configs(steps, words, values), config.seeds):
            same = seen.setdefault(tuple(arm.configs.values()), arm.name)
            if same != arm.name:
                raise ConfigError(
                    f"{same} and {arm.name} are the same configuration: they would run twice and "
                    "count as two; take one away"
                )
            arms.append(arm)
    return arms


def _configs(
    steps: Sequence[Step], words: Sequence[Words], values: Mapping[str, str]
) -> dict[str, str]:
    """Return the complete YAML of each step of one combination."""
    found: dict[str, str] = {}
    for step in steps:
        added = [word for of_value in words for word in of_value.get(step.name, [])]
        _refuse_words(f"{_named(values)}: {step.name}", added, list(found))
        try:
            config = resolved(step.verb, VERBS[step.verb], [*step.words, *added])
        except ValueError as error:
            raise ConfigError(f"{_named(values) or step.name}: {step.name}: {error}") from None
        if getattr(config, "nodes", 1) * getattr(config, "devices", 1) > 1:
            raise ConfigError(
                f"{step.name}: devices and nodes are more than 1: an arm is one process; train "
                "such a model by itself, with `neuromf train launch=slurm`"
            )
        found[step.name] = to_yaml(config)
    return found


def _seeded(values: dict[str, str], configs: dict[str, str], seeds: Sequence[int]) -> list[Arm]:
    """Return an arm for each seed."""
    group = _named(values)
    arms = []
    for seed in seeds:
        # the top level's seed, in every step that has one
        own = {k: re.sub(r"(?m)^seed: .*$", f"seed: {seed}", text) for k, text in configs.items()}
        name = f"{group}_seed-{seed}" if group else f"seed-{seed}"
        if len(name) > LONGEST:
            raise ConfigError(
                f"{name[:60]}... is {len(name)} characters, {LONGEST} is most: give axes and "
                "values shorter labels, NAME: {LABEL: [STEP.KEY=VALUE]}"
            )
        arms.append(Arm(name, group or "all", seed, values, own))
    return arms


def _named(values: Mapping[str, str]) -> str:
    return "_".join(f"{axis}-{label}" for axis, label in values.items())
